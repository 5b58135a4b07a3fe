//! Mail through real SMTP servers, with a password and with the company's own authority.

use std::path::Path;
use std::process::Stdio;

use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::mailer::{Mail, Mailer};
use seaworthy::config::{Account, Smtp, SmtpTls};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use world::World;
use world::smtp::Smtp as Server;

fn settings(port: u16, tls: SmtpTls, password: &str) -> Smtp {
    let account = Account {
        username: "seaworthy".to_owned(),
        password: password.to_owned().into(),
    };
    Smtp {
        host: "localhost".to_owned(),
        port,
        tls,
        account: Some(account),
        from: "Seaworthy <ci@example.com>".to_owned(),
    }
}

fn mail(to: &str) -> Mail {
    Mail {
        to: to.to_owned(),
        subject: "PASSED harbour !7: Käse\r\nBcc: eve@example.com".to_owned(),
        text: "grün".to_owned(),
        html: "<b>grün</b>".to_owned(),
        message_id: "<build.7.1@seaworthy.example>".to_owned(),
        thread: Some("<mr.3.7@seaworthy.example>".to_owned()),
        headers: vec![("List-Id", "<shop.harbour.seaworthy.example>".to_owned())],
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let dir = World::attach().scratch().expect("a folder");
    let server = Server::start(&dir).await.expect("SMTP starts");
    let certificates = Certificates::load(None).expect("certificates");
    let mailer = Mailer::new(&settings(server.port, SmtpTls::None, &server.password), &certificates).expect("a mailer");
    let greeting = mailer.check().await.expect("it answers");
    assert_eq!(greeting, "smtp.world.test, plain text, signed in");

    mailer.send(&mail("Ana Ñ <ana@example.com>")).await.expect("sent");
    let mails = server.mails().await.expect("mails");
    assert_eq!(mails.len(), 1, "checking sends nothing");
    let got = &mails[0];
    assert_eq!(
        got.to,
        ["ana@example.com"],
        "a line break in a subject adds no recipient"
    );
    assert_eq!(got.message_id, "<build.7.1@seaworthy.example>");
    assert_eq!((got.text.trim(), got.html.trim()), ("grün", "<b>grün</b>"));
    assert!(got.subject.starts_with("PASSED harbour !7: Käse"), "{}", got.subject);
    for (name, value) in [
        ("References", "<mr.3.7@seaworthy.example>"),
        ("In-Reply-To", "<mr.3.7@seaworthy.example>"),
        ("Auto-Submitted", "auto-generated"),
        ("List-Id", "<shop.harbour.seaworthy.example>"),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    assert_eq!(got.header("Bcc"), None);

    for bad in ["ana", "ana@example.com, ben@example.com", "a@b\r\nc"] {
        let error = mailer.send(&mail(bad)).await.expect_err(bad);
        assert!(!error.is_transient(), "{error}");
    }
    server.stop().await.expect("stopped");
    let error = mailer.send(&mail("ana@example.com")).await.expect_err("it is away");
    assert!(error.is_transient(), "{error}");
    assert!(
        error.to_string().contains(&format!("localhost:{}", server.port)),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_password_loses_no_mail() {
    let dir = World::attach().scratch().expect("a folder");
    let server = Server::start(&dir).await.expect("SMTP starts");
    let certificates = Certificates::load(None).expect("certificates");
    let wrong = Mailer::new(&settings(server.port, SmtpTls::None, "canary"), &certificates).expect("a mailer");
    for error in [
        wrong.check().await.expect_err("refused"),
        wrong.send(&mail("ana@example.com")).await.expect_err("refused"),
    ] {
        assert!(error.is_transient(), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("535") && text.contains("smtp.password"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    server.stop().await.expect("stopped");
}

/// Two servers: STARTTLS required on the first port that it prints, TLS from the first byte on the second.
const TLS_SERVER: &str = r#"
import asyncio, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/server.crt", sys.argv[1] + "/server.key")
class Keep:
    async def handle_DATA(self, server, session, envelope):
        return "250 kept"
def serve(tls, starttls):
    return SMTP(Keep(), hostname="tls.world.test", tls_context=starttls, require_starttls=starttls is not None,
                auth_require_tls=not tls, authenticator=lambda *_: AuthResult(success=True))
async def main():
    loop = asyncio.get_running_loop()
    first = await loop.create_server(lambda: serve(False, context), "127.0.0.1", 0)
    second = await loop.create_server(lambda: serve(True, None), "127.0.0.1", 0, ssl=context)
    print(first.sockets[0].getsockname()[1], second.sockets[0].getsockname()[1], flush=True)
    await asyncio.gather(first.serve_forever(), second.serve_forever())
asyncio.run(main())
"#;

/// An authority `ca.crt` of our own and a certificate for `localhost` that it signed.
pub async fn authority(dir: &Path) {
    let script = "
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj '/CN=The Company'
        openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj '/CN=localhost'
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > server.ext
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 30 \
            -extfile server.ext";
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .output()
        .await
        .expect("sh");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

async fn tls_server(dir: &Path) -> (Child, u16, u16) {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", TLS_SERVER])
        .arg(dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3");
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("its output"));
    lines.read_line(&mut line).await.expect("a line");
    let ports: Vec<u16> = line.split_whitespace().filter_map(|port| port.parse().ok()).collect();
    assert_eq!(ports.len(), 2, "{line:?}");
    (child, ports[0], ports[1])
}

#[tokio::test]
async fn the_companys_authority_is_trusted_when_it_is_named() {
    let dir = World::attach().scratch().expect("a folder");
    authority(&dir).await;
    let (_server, starttls, tls) = tls_server(&dir).await;
    let named = Certificates::load(Some(&dir.join("ca.crt"))).expect("certificates");
    let unnamed = Certificates::load(None).expect("certificates");
    for (port, kind) in [(starttls, SmtpTls::StartTls), (tls, SmtpTls::Tls)] {
        let mailer = Mailer::new(&settings(port, kind, "any"), &named).expect("a mailer");
        let greeting = mailer.check().await.expect("it answers");
        assert_eq!(greeting, "tls.world.test, TLS, signed in", "{kind:?}");
        mailer.send(&mail("ana@example.com")).await.expect("sent");

        let mailer = Mailer::new(&settings(port, kind, "any"), &unnamed).expect("a mailer");
        let error = mailer.send(&mail("ana@example.com")).await.expect_err("not trusted");
        assert!(
            error.is_transient() && error.to_string().contains("tls.ca_file"),
            "{kind:?}: {error}"
        );
    }
    // A server that does not offer STARTTLS gets neither password nor mail.
    let dir = World::attach().scratch().expect("a folder");
    let plain = Server::start(&dir).await.expect("SMTP starts");
    let mailer = Mailer::new(&settings(plain.port, SmtpTls::StartTls, &plain.password), &named).expect("a mailer");
    let error = mailer
        .send(&mail("ana@example.com"))
        .await
        .expect_err("no TLS")
        .to_string();
    assert!(error.contains("STARTTLS"), "{error}");
    assert!(plain.mails().await.expect("mails").is_empty());
    plain.stop().await.expect("stopped");
}
