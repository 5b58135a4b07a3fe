//! The OpenID provider (GitLab, or another): discovery, authorization code with PKCE, ID token, userinfo.
//!
//! The protocol is the library's; here is which parts of it are used, over our own HTTP client, so that certificate
//! authorities and time limits are those of everything else. Discovery is done when somebody signs in, not at start:
//! the provider may be away then. What it says is kept for an hour.

mod error;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _, UserInfoClaims,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

pub use self::error::OpenIdError;
use self::error::Unreachable;
use super::http;
use crate::config;

/// How long what the provider says of itself is believed.
const KEPT: Duration = Duration::from_secs(3600);
/// How long one call may take: somebody waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing that a provider sends is larger.
const LARGEST: usize = 1 << 20;
/// An ID token is used at once; one that is older is not the answer to what was asked.
const OLDEST: TimeDelta = TimeDelta::minutes(10);

/// All claims that the library has no name for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Extra(Map<String, Value>);

impl AdditionalClaims for Extra {}

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A sign-in that has begun: where the browser goes, and what must come back or be known then.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The provider's page.
    pub address: String,
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Proves that who has the code is who asked for it.
    pub verifier: String,
}

/// Who has signed in, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Its unchanging name of the person.
    pub subject: String,
    /// Login.
    pub login: String,
    /// Name for people; may be empty.
    pub name: String,
    /// Mail address, if the provider tells it.
    pub email: Option<String>,
    /// Full paths of groups; empty if they are not asked for.
    pub groups: Vec<String>,
}

/// The provider as configured; cheap to clone.
#[derive(Clone)]
pub struct OpenId {
    settings: Arc<config::Provider>,
    redirect: String,
    http: reqwest::Client,
    known: Arc<Mutex<Known>>,
}

/// What the provider said of itself, or why it did not, and when.
#[derive(Default)]
struct Known {
    metadata: Option<(Instant, CoreProviderMetadata)>,
    failed: Option<(Instant, OpenIdError)>,
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenId")
            .field("issuer", &self.settings.issuer)
            .finish_non_exhaustive()
    }
}

impl OpenId {
    /// Nothing is asked yet. `redirect` is the address that the provider sends browsers back to.
    pub fn new(settings: &config::Provider, redirect: String, http: reqwest::Client) -> Self {
        Self {
            settings: Arc::new(settings.clone()),
            redirect,
            http,
            known: Arc::default(),
        }
    }

    /// The provider's own name of itself.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Asks the provider what it is, anew.
    ///
    /// # Errors
    /// It is away, or is not what the configuration says.
    pub async fn check(&self) -> Result<String, OpenIdError> {
        self.forget().await;
        let metadata = self.metadata().await?;
        Ok(format!(
            "{} signs {} and is asked at {}",
            self.settings.issuer,
            match metadata.id_token_signing_alg_values_supported().as_slice() {
                [] => "nothing".to_owned(),
                all => all.iter().map(|alg| format!("{alg:?}")).collect::<Vec<_>>().join(", "),
            },
            metadata.authorization_endpoint().url()
        ))
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// The provider is away, or is not what the configuration says.
    pub async fn begin(&self) -> Result<Begun, OpenIdError> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in self.settings.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (address, state, nonce) = request.url();
        Ok(Begun {
            address: address.into(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// From the code that came back to who it is.
    ///
    /// # Errors
    /// The provider is away or refuses, or its answer cannot be believed.
    pub async fn finish(&self, code: &str, verifier: &str, nonce: &str) -> Result<Identity, OpenIdError> {
        let client = self.client().await?;
        let call = |request| call(self.http.clone(), request);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| self.odd(format!("has no address for tokens ({error})")))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&call)
            .await
            .map_err(|error| self.no_tokens(error))?;
        let id_token = tokens.id_token().ok_or_else(|| {
            self.odd("sent no ID token: is the scope `openid` allowed for the application?".to_owned())
        })?;
        let skew = TimeDelta::from_std(self.settings.clock_skew).unwrap_or_default();
        let verifier = client
            .id_token_verifier()
            // Its end may lie behind us by the skew …
            .set_time_fn(move || Utc::now() - skew)
            // … and its beginning before us.
            .set_issue_time_verifier_fn(move |issued| {
                let now = Utc::now();
                if issued > now + skew {
                    Err(format!("issued at {issued}, and here it is {now}"))
                } else if issued < now - OLDEST - skew {
                    Err(format!("issued at {issued} already, and here it is {now}"))
                } else {
                    Ok(())
                }
            });
        let claims = match id_token.claims(&verifier, &Nonce::new(nonce.to_owned())) {
            Ok(claims) => claims,
            Err(error) => {
                // Keys may have been changed: the next sign-in asks for them.
                self.forget().await;
                return Err(self.not_believed(error));
            }
        };
        let mut all = as_map(claims);
        let subject = claims.subject().clone();
        let wanted = [Some(&self.settings.user_claim), self.settings.groups_claim.as_ref()];
        if wanted.into_iter().flatten().any(|claim| !all.contains_key(claim)) {
            let info: UserInfoClaims<Extra, CoreGenderClaim> = client
                .user_info(tokens.access_token().clone(), Some(subject.clone()))
                .map_err(|error| self.odd(format!("has no userinfo ({error})")))?
                .request_async(&call)
                .await
                .map_err(|error| self.no_info(error))?;
            for (name, value) in as_map(&info) {
                all.entry(name).or_insert(value);
            }
        }
        self.identity(subject.to_string(), &all)
    }

    fn identity(&self, subject: String, claims: &Map<String, Value>) -> Result<Identity, OpenIdError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let user = &self.settings.user_claim;
        let login = text(user).ok_or_else(|| {
            self.odd(format!(
                "does not say the login (claim {user:?}): see sign_in.user_claim and sign_in.scopes"
            ))
        })?;
        let groups = match &self.settings.groups_claim {
            None => Vec::new(),
            Some(claim) => {
                let listed = claims.get(claim).and_then(Value::as_array).ok_or_else(|| {
                    self.odd(format!(
                        "does not say the groups (claim {claim:?}): see sign_in.groups_claim and sign_in.scopes"
                    ))
                })?;
                listed.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
        };
        Ok(Identity {
            issuer: self.settings.issuer.clone(),
            subject,
            login: login.to_owned(),
            name: text("name").unwrap_or_default().to_owned(),
            email: text("email").map(str::to_owned),
            groups,
        })
    }

    async fn client(&self) -> Result<Client, OpenIdError> {
        let metadata = self.metadata().await?;
        let secret = self.settings.client_secret.expose_secret().to_owned();
        let redirect = RedirectUrl::new(self.redirect.clone())
            .map_err(|error| OpenIdError::refused(format!("server.public_url is no address: {error}")))?;
        Ok(Client::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            Some(ClientSecret::new(secret)),
        )
        .set_redirect_uri(redirect))
    }

    /// What the provider says of itself; one question at a time, so that a hundred people who sign in ask once, and none
    /// of them waits longer for a provider that is away than the first.
    async fn metadata(&self) -> Result<CoreProviderMetadata, OpenIdError> {
        let began = Instant::now();
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = &known.metadata
            && at.elapsed() < KEPT
        {
            return Ok(metadata.clone());
        }
        if let Some((at, error)) = &known.failed
            && *at >= began
        {
            return Err(error.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|error| OpenIdError::refused(format!("sign_in.issuer is no address: {error}")))?;
        let call = |request| call(self.http.clone(), request);
        let asked = CoreProviderMetadata::discover_async(issuer, &call).await;
        match asked {
            Ok(metadata) => {
                known.metadata = Some((Instant::now(), metadata.clone()));
                Ok(metadata)
            }
            Err(error) => {
                let error = self.not_discovered(error);
                known.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn forget(&self) {
        self.known.lock().await.metadata = None;
    }
}

fn as_map(claims: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(claims) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// The library's call over our client.
async fn call(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unreachable> {
    let explain = |error: reqwest::Error| Unreachable(http::explain(error));
    let request = reqwest::Request::try_from(request).map_err(explain)?;
    let asked = async {
        let mut answer = http.execute(request).await.map_err(explain)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(explain)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Unreachable(format!("its answer is larger than {LARGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Unreachable(format!("no answer within {PATIENCE:?}"))),
    }
}
