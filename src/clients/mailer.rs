//! The mail server. One message goes to one recipient: a refused address must not keep the news from the others.
//!
//! There is no connection pool: a connection whose dialogue was given up half-way would answer the next mail with the
//! replies of the last one.

use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::certificates::Certificates;
use super::http::explain_chain;
use crate::config::{Smtp, SmtpTls};

/// For the whole dialogue; the library's own limit covers the connection alone.
const PATIENCE: Duration = Duration::from_secs(60);
/// For the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Replies that speak of our login, not of the mail (RFC 4954): a wrong password is mended by whoever configures, and
/// no mail may be lost by it.
const LOGIN_REPLIES: [&str; 4] = ["530", "534", "535", "538"];

/// A mail as it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One address, with or without a name.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For readers of plain text.
    pub text: String,
    /// For all others.
    pub html: String,
    /// `<…@…>`: the same at each try, so that a mail that was accepted unnoticed is a duplicate that can be told.
    pub message_id: String,
    /// `<…@…>` of the thread, if any.
    pub thread: Option<String>,
    /// More headers: name and value.
    pub headers: Vec<(&'static str, String)>,
}

/// Why a mail did not go out.
#[derive(Debug, Clone, thiserror::Error)]
#[error("mail server {server}: {cause}")]
pub struct MailError {
    /// Host and port.
    server: String,
    /// The server's words, or why there are none.
    cause: String,
    permanent: bool,
}

impl MailError {
    /// Why, without the server's address.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// May the same mail go out later?
    pub fn is_transient(&self) -> bool {
        !self.permanent
    }
}

/// User and host of an address without a name; `None` if it is no mail address.
pub fn split_address(address: &str) -> Option<(String, String)> {
    let address: lettre::Address = address.parse().ok()?;
    Some((address.user().to_owned(), address.domain().to_owned()))
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Credentials>,
    from: Mailbox,
    server: String,
}

impl Mailer {
    /// As configured. Nothing is connected yet.
    ///
    /// # Errors
    /// A certificate authority or the sender's address that cannot be used.
    pub fn new(smtp: &Smtp, certificates: &Certificates) -> Result<Self, MailError> {
        let server = format!("{}:{}", smtp.host, smtp.port);
        let wrong = |cause: String| MailError {
            server: server.clone(),
            cause,
            permanent: true,
        };
        let parameters = || {
            // The system's authorities are among ours.
            let mut builder = TlsParameters::builder(smtp.host.clone()).certificate_store(CertificateStore::None);
            for certificate in certificates.iter() {
                let root = Certificate::from_der(certificate.to_vec()).map_err(|error| wrong(error.to_string()))?;
                builder = builder.add_root_certificate(root);
            }
            builder.build_rustls().map_err(|error| wrong(explain_chain(&error)))
        };
        let tls = match smtp.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::Tls => Tls::Wrapper(parameters()?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(tls.clone())
            .timeout(Some(CONNECT_TIMEOUT));
        let login = smtp.account.as_ref().map(|account| {
            let password = account.password.expose_secret().to_owned();
            Credentials::new(account.username.clone(), password)
        });
        if let Some(login) = &login {
            transport = transport.credentials(login.clone());
        }
        Ok(Self {
            transport: transport.build(),
            host: smtp.host.clone(),
            port: smtp.port,
            tls,
            login,
            from: smtp
                .from
                .parse()
                .map_err(|error| wrong(format!("smtp.from = {:?}: {error}", smtp.from)))?,
            server,
        })
    }

    /// Hands one mail to the server.
    ///
    /// # Errors
    /// Permanent when the server refuses this mail for good (5xx) or the address is none; otherwise, also when it
    /// refuses our login, worth another try.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(mail)?;
        match tokio::time::timeout(PATIENCE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(self.wrong(false, format!("the dialogue did not end within {PATIENCE:?}"))),
        }
    }

    /// Connects and signs in, without sending. Returns how the server calls itself and how it was spoken to.
    ///
    /// # Errors
    /// As [`Mailer::send`].
    pub async fn check(&self) -> Result<String, MailError> {
        match tokio::time::timeout(PATIENCE, self.greet()).await {
            Ok(Ok(greeting)) => Ok(greeting),
            Ok(Err(error)) => Err(self.explain(&error)),
            Err(_) => Err(self.wrong(false, format!("no answer within {PATIENCE:?}"))),
        }
    }

    /// What the transport does before it sends.
    async fn greet(&self) -> Result<String, smtp::Error> {
        let hello = ClientId::default();
        let wrapper = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let place = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(place, Some(CONNECT_TIMEOUT), &hello, wrapper, None).await?;
        if let Tls::Required(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &hello).await?;
        }
        let encrypted = if connection.is_encrypted() { "TLS" } else { "plain text" };
        let mut greeting = format!("{}, {encrypted}", connection.server_info().name());
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
            greeting.push_str(", signed in");
        }
        connection.abort().await;
        Ok(greeting)
    }

    fn explain(&self, error: &smtp::Error) -> MailError {
        let code = error.status().map(|code| code.to_string());
        let login = code.is_some_and(|code| LOGIN_REPLIES.contains(&code.as_str()));
        let mut cause = explain_chain(error);
        if login {
            cause.push_str("; check smtp.username and smtp.password");
        }
        self.wrong(error.is_permanent() && !login, cause)
    }

    fn wrong(&self, permanent: bool, cause: String) -> MailError {
        MailError {
            server: self.server.clone(),
            cause,
            permanent,
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let to: Mailbox = mail
            .to
            .parse()
            .map_err(|error| self.wrong(true, format!("{:?} is no mail address: {error}", mail.to)))?;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&mail.subject)
            .message_id(Some(mail.message_id.clone()));
        if let Some(thread) = &mail.thread {
            builder = builder.in_reply_to(thread.clone()).references(thread.clone());
        }
        let mut message = builder
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| self.wrong(true, format!("the mail cannot be put together: {error}")))?;
        let more = mail.headers.iter().map(|(name, value)| (*name, value.clone()));
        for (name, value) in more.chain([("Auto-Submitted", "auto-generated".to_owned())]) {
            let name = HeaderName::new_from_ascii_str(name);
            message.headers_mut().insert_raw(HeaderValue::new(name, value));
        }
        Ok(message)
    }
}
