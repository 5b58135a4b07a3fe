//! What tests and boot check may talk to: the pipeline's services, each in a container beside theirs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::watched::Watched;
use super::{Run, StageError};
use crate::clients::engine::{Program, ProgramSpec};
use crate::definition::Service;
use crate::model::Finding;

/// Pause between two looks at a service that is not ready yet.
const PAUSE: Duration = Duration::from_millis(200);
/// Lines of its log that a finding shows.
const SHOWN: usize = 20;
/// Processes and threads of one service.
const PIDS: u32 = 512;

/// Starts the services of the pipeline on a network and waits until each may be used. They are removed by their owner's
/// labels, or by [`end`].
pub(super) async fn start(run: &Run, network: &str) -> Result<Vec<Program>, StageError> {
    let mut started = Vec::new();
    for service in &run.pipeline.services {
        started.push((service, begin(run, service, network).await?));
    }
    for (service, watched) in &started {
        ready(run, service, watched).await?;
    }
    Ok(started.into_iter().map(|(_, watched)| watched.program).collect())
}

/// Removes them, for the next ones to begin anew.
pub(super) async fn end(services: Vec<Program>) -> Result<(), StageError> {
    for service in services {
        service.remove().await?;
    }
    Ok(())
}

async fn begin(run: &Run, service: &Service, network: &str) -> Result<Watched, StageError> {
    let parts = &run.parts;
    let image = service.image.mirrored(&parts.config.base_images.mirrors);
    run.say(&format!(
        "Starting service {} from {}",
        service.name,
        service.image.as_str()
    ));
    parts
        .engine
        .ensure_image(&image, parts.login(&image).as_ref(), run.teller())
        .await?;
    let spec = ProgramSpec {
        image,
        network: network.to_owned(),
        host: service.name.clone(),
        command: service.command.clone(),
        environment: service.environment.clone(),
        memory: service.memory,
        cpus: run.pipeline.limits.cpus,
        pids: PIDS,
        locked: None,
        health_interval: PAUSE,
    };
    Watched::start(run, &spec, &format!("[{}] ", service.name)).await
}

async fn ready(run: &Run, service: &Service, watched: &Watched) -> Result<(), StageError> {
    let begun = Instant::now();
    // Without any health check, running is all that is known.
    let has_health = !service.health.is_empty() || has_health(run, service).await?;
    let finding = |what: String| {
        Finding::new(
            "service-failed",
            format!("The service {} {what}", service.name),
            format!(
                "Look at its lines in the log. Its image, variables, memory and time stand in pipeline {}.",
                run.pipeline.name
            ),
        )
        .with_detail(watched.console(|console| console.tail(SHOWN)))
    };
    loop {
        let state = watched.program.state().await?;
        if !state.running {
            let why = match state.out_of_memory {
                true => format!("was killed at its limit of {} MiB of memory", service.memory >> 20),
                false => format!("ended by itself with code {}", state.exit_code),
            };
            return Err(finding(why).into());
        }
        let usable = match service.health.is_empty() {
            false => watched.program.ask(&service.health).await? == 0,
            true => state.healthy.unwrap_or(!has_health),
        };
        if usable {
            run.say(&format!(
                "Service {} is ready after {:.1} s",
                service.name,
                begun.elapsed().as_secs_f64()
            ));
            return Ok(());
        }
        if begun.elapsed() > service.time {
            return Err(finding(format!("was not ready after {} s", service.time.as_secs())).into());
        }
        sleep(PAUSE).await;
    }
}

/// Has the service's image a health check of its own?
async fn has_health(run: &Run, service: &Service) -> Result<bool, StageError> {
    let image = service.image.mirrored(&run.parts.config.base_images.mirrors);
    let info = run.parts.engine.inspect_image(&image).await?;
    Ok(info.is_some_and(|info| info.has_health_check))
}
