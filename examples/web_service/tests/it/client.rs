//! A client that speaks real HTTP, and holds every answer against the service's own OpenAPI document.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::document::Document;

/// Sends requests to one service, in the name of somebody.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    pub(crate) document: Arc<Document>,
    token: Option<String>,
}

/// A request that is being made.
pub(crate) struct Request {
    client: Client,
    builder: hyper::http::request::Builder,
    body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Reads the document of the service at that address.
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let client = Self::undescribed(address);
        let document = client.get("/openapi.json").unchecked().await.json();
        Self { document: Arc::new(Document::new(document)), ..client }
    }

    /// Speaks to what has no document.
    pub(crate) fn undescribed(address: SocketAddr) -> Self {
        Self { address, document: Arc::default(), token: None }
    }

    /// The same, with a token.
    pub(crate) fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        let builder = hyper::Request::builder().method(method).uri(path);
        let request = Request { client: self.clone(), builder, body: Bytes::new() };
        match &self.token {
            Some(token) => request.header(AUTHORIZATION.as_str(), &format!("Bearer {token}")),
            None => request,
        }
    }
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string()).header(CONTENT_TYPE.as_str(), "application/json")
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it, and checks that the document has what comes back.
    pub(crate) async fn send(self) -> Answer {
        let document = Arc::clone(&self.client.document);
        let method = self.builder.method_ref().unwrap().clone();
        let path = self.builder.uri_ref().unwrap().path().to_owned();
        let answer = self.unchecked().await;
        document.check(&method, &path, &answer);
        answer
    }

    /// Sends it.
    pub(crate) async fn unchecked(self) -> Answer {
        let (mut connection, response) = self.open().await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        connection.shutdown().await;
        Answer { status, headers, body }
    }

    /// Sends it, and returns what comes back as it begins; with the connection, which is to be kept as long.
    pub(crate) async fn open(self) -> (JoinSet<()>, Response<Incoming>) {
        let stream = TcpStream::connect(self.client.address).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async {
            // That the server cuts it off is seen by who reads the answer.
            let _ = connection.await;
        });
        let builder = self.builder.header(HOST, self.client.address.to_string());
        let request = builder.body(Full::new(self.body)).unwrap();
        (tasks, sender.send_request(request).await.unwrap())
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks the status, and returns the body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks that it is that problem.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, name: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], format!("/docs#{name}"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }
}
