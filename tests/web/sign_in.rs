//! Signing in at a real OpenID provider: in a real browser, and without one where it goes wrong.

use std::collections::BTreeMap;

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use seaworthy::model::BuildState;
use serde_json::{Value, json};
use world::World;
use world::browser::Browser;
use world::openid::{OpenId, Person, Settings};

use super::site::{Site, merge_request};

const GRANTS: &str = r#"
    [[grant]]
    role = "release-manager"
    projects = ["shop/**"]
    groups = ["house/release"]
"#;

fn settings() -> Settings {
    let person = |name: &str, groups: &[&str]| Person {
        name: name.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    Settings {
        people: BTreeMap::from([
            ("anna".to_owned(), person("Anna Anchor", &["house/release", "house"])),
            ("ben".to_owned(), person("Ben Buoy", &[])),
        ]),
        ..Settings::default()
    }
}

async fn provider(settings: &Settings) -> OpenId {
    let scratch = World::attach().scratch().expect("a folder");
    OpenId::start(&scratch, settings).await.expect("a provider")
}

async fn site_at(provider: &OpenId, more: &[(&str, &str)]) -> Site {
    let mut options = vec![
        ("SIGN_IN_ISSUER", provider.issuer.as_str()),
        ("SIGN_IN_CLIENT_ID", &provider.client_id),
        ("SIGN_IN_CLIENT_SECRET", &provider.client_secret),
    ];
    options.extend(more);
    Site::open_as(false, GRANTS, &options).await
}

#[tokio::test]
async fn a_person_signs_in_with_a_browser_presses_a_button_and_signs_out() {
    let provider = provider(&settings()).await;
    let site = site_at(&provider, &[]).await;
    site.ended(&merge_request(1, "a"), BuildState::Failed).await;
    let scratch = World::attach().scratch().expect("a folder");
    let browser = Browser::start(&scratch).await.expect("a browser");

    browser.open(&format!("{}/builds/1", site.url)).await.expect("a page");
    browser.click("#provider").await.expect("the way to the provider");
    browser.type_into("input[name=login]", "anna").await.expect("typed");
    browser.type_into("input[name=password]", "any").await.expect("typed");
    browser.click("button.login-submit").await.expect("pressed");
    // The provider asks her whether this service may know who she is.
    browser
        .text("input[value=consent] ~ button")
        .await
        .expect("the question");
    browser.click("button.login-submit").await.expect("pressed");

    // Back where she wanted to go, as who she is.
    let arrive = async |path: &str| {
        let address = format!("{}{path}", site.url);
        browser.arrive(&address).await.expect("the page");
    };
    arrive("/builds/1").await;
    let heading = browser.text("h1").await.expect("a heading");
    assert!(heading.contains("build 1"), "{heading}");
    assert!(browser.text("nav").await.expect("a text").contains("anna"));
    assert_eq!(
        browser.evaluate("document.cookie").await.expect("a value"),
        json!(""),
        "no script sees a cookie"
    );
    let mut cookies = browser.cookies().await.expect("cookies");
    // The provider's own are of the same host.
    cookies.retain(|cookie| {
        cookie["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("seaworthy"))
    });
    let names: Vec<&str> = cookies.iter().filter_map(|cookie| cookie["name"].as_str()).collect();
    assert_eq!(names, ["seaworthy-session"], "what the sign-in needed is gone");
    assert_eq!(
        (&cookies[0]["httpOnly"], &cookies[0]["sameSite"]),
        (&json!(true), &json!("Lax"))
    );

    // What her groups allow, she does by a button; the form's mark goes with it.
    browser
        .click("form[action='/builds/1/rebuild'] button")
        .await
        .expect("pressed");
    arrive("/builds/2").await;
    let heading = browser.text("h1 .number-of").await.expect("a heading");
    assert_eq!(heading, "build 2");
    let record = site.record(seaworthy::model::BuildId(2)).await;
    assert_eq!(record.requested_by.as_deref(), Some("anna"));

    browser.click("nav a[href='/account']").await.expect("her page");
    arrive("/account").await;
    let roles = browser.text("#roles").await.expect("roles");
    assert_eq!(roles, "release manager for shop/**");
    assert!(browser.text("h1").await.expect("a heading").contains("Anna Anchor"));

    browser.click("form[action='/sign-out'] button").await.expect("pressed");
    browser
        .text("#provider")
        .await
        .expect("the sign-in page: nobody may read here");
    assert!(
        browser
            .cookies()
            .await
            .expect("cookies")
            .iter()
            .all(|cookie| cookie["name"] != "seaworthy-session")
    );
    let left: i64 = sqlx::query_scalar("select count(*) from session")
        .fetch_one(&site.pool)
        .await
        .expect("a number");
    assert_eq!(left, 0);
    browser.close().await.expect("it ends");
    site.close().await;
    provider.stop().await.expect("it ends");
}

/// What is changed of a sign-in that the browser keeps.
type Change = fn(&mut Value);

/// A person without a browser: keeps cookies, follows redirects up to the way back to the service, and fills in the
/// provider's forms.
struct Walker {
    http: reqwest::Client,
    cookies: BTreeMap<(u16, String), String>,
    /// The service: the walk stops in front of it.
    home: Url,
}

impl Walker {
    fn new(site: &Site) -> Self {
        Self {
            http: reqwest::Client::builder()
                .redirect(Policy::none())
                .build()
                .expect("a client"),
            cookies: BTreeMap::new(),
            home: site.url.parse().expect("an address"),
        }
    }

    async fn send(&mut self, method: Method, url: &Url, form: &[(&str, &str)]) -> Response {
        let port = url.port().expect("a port");
        let mine = self.cookies.iter().filter(|((of, _), _)| *of == port);
        let cookie: Vec<String> = mine.map(|((_, name), value)| format!("{name}={value}")).collect();
        let mut request = self
            .http
            .request(method, url.clone())
            .header("cookie", cookie.join("; "));
        if !form.is_empty() {
            request = request.form(form);
        }
        let answer = request.send().await.expect("an answer");
        for value in answer.headers().get_all(header::SET_COOKIE) {
            let pair = value.to_str().expect("a text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.insert((port, name.to_owned()), value.to_owned());
        }
        answer
    }

    fn next(answer: &Response) -> Option<Url> {
        let to = answer.headers().get(header::LOCATION)?.to_str().ok()?;
        answer.url().join(to).ok()
    }

    /// Begins at the service; at the provider, its page.
    async fn begin(&mut self) -> Response {
        let begin = self.home.join("/sign-in/provider?next=/account").expect("an address");
        let answer = self.send(Method::GET, &begin, &[]).await;
        assert_eq!(answer.status(), 303, "{:?}", answer.text().await);
        let at_provider = Self::next(&answer).expect("the way to the provider");
        for needed in [
            "code_challenge_method=S256",
            "code_challenge=",
            "nonce=",
            "state=",
            "scope=openid",
        ] {
            assert!(at_provider.as_str().contains(needed), "{needed} in {at_provider}");
        }
        let answer = self.send(Method::GET, &at_provider, &[]).await;
        self.follow(answer).await
    }

    async fn follow(&mut self, mut answer: Response) -> Response {
        while let Some(next) = Self::next(&answer).filter(|next| next.port() != self.home.port()) {
            answer = self.send(Method::GET, &next, &[]).await;
        }
        answer
    }

    /// Login and consent at the provider; the address that leads back.
    async fn agree(&mut self, login: &str) -> Url {
        let mut page = self.begin().await;
        loop {
            if let Some(back) = Self::next(&page) {
                return back;
            }
            let here = page.url().clone();
            let text = page.text().await.expect("a page");
            let prompt = if text.contains("name=\"login\"") {
                "login"
            } else {
                "consent"
            };
            let form = [("prompt", prompt), ("login", login), ("password", "any")];
            let answer = self.send(Method::POST, &here, &form).await;
            page = self.follow(answer).await;
        }
    }

    /// The service's answer to this way back: its status, and what its page says is wrong.
    async fn arrive(&mut self, back: &Url) -> (u16, String) {
        let answer = self.send(Method::GET, back, &[]).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a page");
        let wrong = text
            .split_once("id=\"wrong\">")
            .and_then(|(_, rest)| rest.split('<').next());
        (status, wrong.unwrap_or_default().to_owned())
    }

    fn cookie(&mut self, name: &str) -> &mut String {
        let port = self.home.port().expect("a port");
        self.cookies.get_mut(&(port, name.to_owned())).expect("a cookie")
    }

    /// Changes what the browser keeps of its sign-in.
    fn change_flow(&mut self, change: impl FnOnce(&mut Value)) {
        let cookie = self.cookie("seaworthy-flow");
        let mut flow: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&*cookie).expect("base64")).expect("JSON");
        change(&mut flow);
        *cookie = URL_SAFE_NO_PAD.encode(flow.to_string());
    }

    async fn who(&mut self) -> String {
        let account = self.home.join("/account").expect("an address");
        let page = self.send(Method::GET, &account, &[]).await;
        assert_eq!(page.status(), 200);
        page.text().await.expect("a page")
    }
}

#[tokio::test]
async fn what_goes_wrong_at_sign_in_is_said_in_a_sentence() {
    let provider = provider(&settings()).await;
    let site = site_at(&provider, &[]).await;
    let mut walker = Walker::new(&site);

    // It goes well once, by userinfo, and the code is then spent.
    let back = walker.agree("anna").await;
    let flow = walker.cookie("seaworthy-flow").clone();
    let (status, wrong) = walker.arrive(&back).await;
    assert_eq!((status, wrong.as_str()), (303, ""));
    let page = walker.who().await;
    assert!(
        page.contains("Anna Anchor") && page.contains("release manager for shop/**"),
        "{page}"
    );
    let (status, wrong) = walker.arrive(&back).await;
    assert_eq!(status, 401);
    assert!(
        wrong.contains("was not begun in this browser, was ended already"),
        "{wrong}"
    );
    *walker.cookie("seaworthy-flow") = flow;
    let (status, wrong) = walker.arrive(&back).await;
    assert_eq!(status, 401);
    assert!(wrong.contains("was used already or took too long"), "{wrong}");

    // Somebody else's code in this browser, and ours in somebody else's.
    let mut ben = Walker::new(&site);
    let stolen = ben.agree("ben").await;
    let mut victim = Walker::new(&site);
    let (status, wrong) = victim.arrive(&stolen).await;
    assert_eq!(status, 401);
    assert!(wrong.contains("was not begun in this browser"), "{wrong}");
    victim.begin().await;
    let (_, wrong) = victim.arrive(&stolen).await;
    assert!(wrong.contains("not the answer to this browser"), "{wrong}");
    // Even with the right state, the code is nothing without the verifier that belongs to it.
    victim.begin().await;
    let state = stolen
        .query_pairs()
        .find(|(name, _)| name == "state")
        .expect("a state")
        .1
        .into_owned();
    victim.change_flow(|flow| flow["state"] = json!(state));
    let (_, wrong) = victim.arrive(&stolen).await;
    assert!(wrong.contains("was used already or took too long"), "{wrong}");

    let tampered: [(&str, Change, &str); 2] = [
        (
            "nonce",
            |flow| flow["nonce"] = json!("another"),
            "belongs to another sign-in",
        ),
        (
            "time",
            |flow| flow["begun"] = json!(flow["begun"].as_i64().expect("a time") - 601),
            "longer than ten minutes",
        ),
    ];
    for (what, change, told) in tampered {
        let mut walker = Walker::new(&site);
        let back = walker.agree("ben").await;
        walker.change_flow(change);
        let (status, wrong) = walker.arrive(&back).await;
        assert_eq!(status, 401, "{what}");
        assert!(wrong.contains(told), "{what}: {wrong}");
    }

    // Broken off at the provider.
    let mut walker = Walker::new(&site);
    let page = walker.begin().await;
    let abort = format!("{}/abort", page.url());
    let answer = walker.send(Method::GET, &abort.parse().expect("an address"), &[]).await;
    let answer = walker.follow(answer).await;
    let back = Walker::next(&answer).expect("the way back");
    let (status, wrong) = walker.arrive(&back).await;
    assert_eq!(status, 401);
    assert!(
        wrong.contains("refused or broken off at the sign-in provider"),
        "{wrong}"
    );

    // Away: the service stays up, says it, and goes on by itself afterwards.
    provider.stop().await.expect("it ends");
    let other = site_at(&provider, &[]).await;
    let mut walker = Walker::new(&other);
    let begin = walker.home.join("/sign-in/provider").expect("an address");
    let (status, wrong) = walker.arrive(&begin).await;
    assert_eq!(status, 503);
    assert!(wrong.contains("cannot be reached at the moment"), "{wrong}");
    provider.start_again().await.expect("it is back");
    let back = walker.agree("ben").await;
    assert_eq!(walker.arrive(&back).await.0, 303);
    assert!(walker.who().await.contains("You have no role here"));
    other.close().await;
    site.close().await;
    provider.stop().await.expect("it ends");
}

#[tokio::test]
async fn a_provider_that_is_not_as_configured_is_told() {
    let wrong_clock = Settings {
        clock_off: -3600,
        claims_in_id_token: true,
        ..settings()
    };
    let provider = provider(&wrong_clock).await;
    for (option, value, told) in [
        ("SIGN_IN_CLOCK_SKEW", "1m", "one of the two clocks is wrong"),
        ("SIGN_IN_CLIENT_SECRET", "another", "sign_in.client_secret is wrong"),
    ] {
        let site = site_at(&provider, &[(option, value)]).await;
        let mut walker = Walker::new(&site);
        let back = walker.agree("anna").await;
        let (status, wrong) = walker.arrive(&back).await;
        assert_eq!(status, 401, "{option}");
        assert!(wrong.contains(told), "{option}: {wrong}");
        site.close().await;
    }
    for (option, value, told) in [
        ("SIGN_IN_GROUPS_CLAIM", "teams", "does not say the groups"),
        ("SIGN_IN_USER_CLAIM", "nick", "does not say the login"),
    ] {
        let site = site_at(&provider, &[(option, value), ("SIGN_IN_CLOCK_SKEW", "2h")]).await;
        let mut walker = Walker::new(&site);
        let back = walker.agree("anna").await;
        let (_, wrong) = walker.arrive(&back).await;
        assert!(wrong.contains(told), "{option}: {wrong}");
        site.close().await;
    }
    // With a skew that allows for it, and claims in the ID token, it goes well.
    let site = site_at(&provider, &[("SIGN_IN_CLOCK_SKEW", "2h")]).await;
    let mut walker = Walker::new(&site);
    let back = walker.agree("anna").await;
    assert_eq!(walker.arrive(&back).await, (303, String::new()));
    assert!(walker.who().await.contains("release manager for shop/**"));
    site.close().await;

    let missing = format!("{}/realms/none", provider.issuer);
    let site = site_at(&provider, &[("SIGN_IN_ISSUER", &missing)]).await;
    let mut walker = Walker::new(&site);
    let begin = walker.home.join("/sign-in/provider").expect("an address");
    let (status, wrong) = walker.arrive(&begin).await;
    assert_eq!(status, 401);
    assert!(wrong.contains("is sign_in.issuer right?"), "{wrong}");
    site.close().await;
    provider.stop().await.expect("it ends");
}
