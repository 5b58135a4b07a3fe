//! The road on real parts: from GitLab's hook to an image that runs.

use seaworthy::model::{BuildId, BuildState};
use seaworthy::store::images;

use crate::house::House;

#[tokio::test]
async fn a_merge_request_becomes_an_image() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    let _mr = house.merge_request(&service, &project, "berths").await;

    let record = house.passes(1).await;
    assert_eq!(record.build.state, BuildState::Passed);
    let tests = record.tests.expect("tests");
    assert_eq!(
        (tests.counts.run, tests.counts.skipped, tests.counts.failed),
        (12, 1, 0)
    );
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    println!("{}", house.log_of(1).await);
    println!("{image:#?}");
    house.is_clean().await;
    service.terminate().await;
    house.close().await;
}
