//! Calling the portal, and what it must answer.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, LOCATION, SET_COOKIE,
};
use reqwest::{Method, RequestBuilder, redirect};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PASSWORD, Who};

/// Somebody who calls the portal.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    language: &'static str,
}

/// What the portal answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Vec<u8>,
    /// What was asked, for messages.
    what: String,
    /// The language it was asked in.
    language: &'static str,
}

impl Client {
    /// Nobody, in English.
    pub(crate) fn new(base: String) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_secs(100))
            .no_proxy()
            .build()
            .unwrap();
        Self {
            http,
            base,
            token: None,
            language: "en",
        }
    }

    /// The same connections with this token, or none.
    pub(crate) fn with_token(&self, token: Option<String>) -> Self {
        Self {
            token,
            ..self.clone()
        }
    }

    /// The same caller in Chinese.
    pub(crate) fn in_chinese(&self) -> Self {
        Self {
            language: "zh-CN",
            ..self.clone()
        }
    }

    /// A request with the caller's token and language.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(ACCEPT_LANGUAGE, self.language);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request)
            .await
            .unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends a request that may find nobody.
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let (client, request) = request.build_split();
        let request = request?;
        let what = format!("{} {}", request.method(), request.url().path());
        let response = client.execute(request).await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?.to_vec(),
            what,
            language: self.language,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).header(ACCEPT, "application/json"))
            .await
    }

    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_send(self.request(Method::GET, path)).await.ok()
    }

    /// A page.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).header(ACCEPT, "text/html"))
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(
            self.request(Method::POST, path)
                .header(ACCEPT, "application/json")
                .json(body),
        )
        .await
    }

    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        self.try_send(
            self.request(Method::POST, path)
                .header(ACCEPT, "application/json")
                .json(body),
        )
        .await
        .ok()
    }

    /// A POST by a client that sends all it has before it looks at the answer, as plain ones do: what is refused half-way
    /// must be taken all the same, or such a client never sees why.
    pub(crate) async fn post_large(&self, path: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        let request = self.request(Method::POST, path).build().unwrap();
        let address = self.base.strip_prefix("http://").unwrap();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in request.headers() {
            let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap());
        }
        head.push_str("\r\n");
        let exchange = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            let (mut bytes, mut block) = (Vec::new(), [0; 16 << 10]);
            loop {
                let got = stream.read(&mut block).await.unwrap();
                bytes.extend_from_slice(&block[..got]);
                if got == 0 || is_whole(&bytes) {
                    return bytes;
                }
            }
        };
        let bytes = tokio::time::timeout(Duration::from_secs(60), exchange)
            .await
            .unwrap_or_else(|_| panic!("POST {path}: no answer"));
        self.parse(&bytes, format!("POST {path}, large"))
    }

    /// What came over a connection, as an answer.
    #[track_caller]
    pub(crate) fn read_answer(&self, bytes: &[u8], what: &str) -> Answer {
        self.parse(bytes, what.to_owned())
    }

    fn parse(&self, bytes: &[u8], what: String) -> Answer {
        let Some(end) = find(bytes, b"\r\n\r\n") else {
            panic!("{what}: broken off without an answer")
        };
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Answer {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
            what,
            language: self.language,
        }
    }

    /// A POST that names the revision it is about.
    pub(crate) async fn post_if_match(&self, path: &str, etag: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(ACCEPT, "application/json");
        self.send(request.header("if-match", etag).json(body)).await
    }

    /// Signs somebody in by the form, as a browser would.
    pub(crate) async fn sign_in(&self, who: Who) -> Session {
        let fields = [
            ("username", who.username()),
            ("password", PASSWORD),
            ("next", "/account"),
        ];
        let request = self
            .request(Method::POST, "/sign-in")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "text/html")
            .body(form(&fields));
        let answer = self.send(request).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.header(LOCATION.as_str()), "/account");
        let set: Vec<&str> = answer
            .headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        let session = set
            .iter()
            .find(|cookie| cookie.starts_with("shapan_session="))
            .unwrap();
        assert!(
            session.contains("HttpOnly"),
            "scripts must not read the session: {session}"
        );
        assert!(session.contains("SameSite="), "{session}");
        let cookie = session.split(';').next().unwrap().to_owned();
        let session = Session {
            client: self.clone(),
            cookie,
            csrf: String::new(),
        };
        let page = session
            .send(
                session
                    .request(Method::GET, "/account")
                    .header(ACCEPT, "text/html"),
            )
            .await;
        assert_eq!(page.status, 200, "{}", page.text());
        let csrf = page.attribute("name=\"csrf_token\" value=\"").to_owned();
        assert!(csrf.len() >= 32, "a token that cannot be guessed: {csrf:?}");
        Session { csrf, ..session }
    }
}

/// A browser's session: a cookie, and the token that its forms carry.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    client: Client,
    cookie: String,
    /// The anti-forgery token.
    pub(crate) csrf: String,
}

impl Session {
    /// A request with the session's cookie and nothing else.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).header(COOKIE, &self.cookie)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.client.send(request).await
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What follows a mark in the page, up to the next quote.
    pub(crate) fn attribute(&self, mark: &str) -> &str {
        let text = std::str::from_utf8(&self.body).unwrap();
        let (_, rest) = text
            .split_once(mark)
            .unwrap_or_else(|| panic!("{}: no {mark} in {text}", self.what));
        rest.split('"').next().unwrap()
    }

    /// The JSON body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text()))
    }

    /// The problem that the answer is: `application/problem+json` with this code, saying what, and what to do, in
    /// the language that was asked for.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) -> Value {
        let what = format!("{}: {} {}", self.what, self.status, self.text());
        assert_eq!(self.status, status, "{what}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}");
        let problem: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {what}"));
        assert_eq!(problem["code"], code, "{what}");
        assert_eq!(problem["status"], status, "{what}");
        for text in ["type", "title", "hint"] {
            assert!(
                problem[text].as_str().is_some_and(|text| !text.trim().is_empty()),
                "no {text}: {what}"
            );
        }
        for text in ["title", "hint"] {
            let chinese = problem[text]
                .as_str()
                .unwrap()
                .chars()
                .any(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c));
            assert_eq!(
                chinese,
                self.language.starts_with("zh"),
                "{text} in the wrong language: {what}"
            );
        }
        problem
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// Whether these bytes are an answer with all of its announced body.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= end + 4 + length)
}

/// Fields as a form sends them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let _ = write!(
            text,
            "{}{}={}",
            if text.is_empty() { "" } else { "&" },
            encode(name),
            encode(value)
        );
    }
    text
}
