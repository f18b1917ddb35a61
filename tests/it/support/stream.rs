//! The other side of the billing queue: a system that appends requests and reads answers.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike as _, StreamsInterface as _};
use fred::types::config::Config;
use fred::types::{Builder, Value as Redis};
use serde_json::Value;
use tokio::time::Instant;

use super::{DEADLINE, TestApp};

pub(crate) struct Stream {
    pub(crate) client: Client,
    name: String,
    last: String,
}

impl Stream {
    pub(crate) async fn of(app: &TestApp) -> Self {
        Self::at(&app.config.redis_url, &app.config.billing_streams).await
    }

    pub(crate) async fn at(url: &str, name: &str) -> Self {
        let client = Builder::from_config(Config::from_url(url).unwrap()).build().unwrap();
        client.init().await.unwrap();
        Self { client, name: name.to_owned(), last: "0-0".to_owned() }
    }

    pub(crate) fn key(&self, what: &str) -> String {
        format!("{}:{what}", self.name)
    }

    /// Appends a message with these fields; its number.
    pub(crate) async fn append(&self, fields: Vec<(&str, Vec<u8>)>) -> String {
        let fields: Vec<(&str, Redis)> = fields.into_iter().map(|(name, value)| (name, Redis::Bytes(value.into()))).collect();
        self.client.xadd(self.key("requests"), false, None::<()>, "*", fields).await.unwrap()
    }

    pub(crate) async fn send(&self, op: &Value) -> String {
        self.append(vec![("op", op.to_string().into_bytes())]).await
    }

    /// The next `count` answers, as texts.
    pub(crate) async fn answers(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        while texts.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} answers: {texts:#?}", texts.len());
            texts.extend(self.read().await);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(texts.len(), count, "{texts:#?}");
        texts
    }

    /// The answers there are by now.
    pub(crate) async fn read(&mut self) -> Vec<String> {
        let from = format!("({}", self.last);
        let entries: Vec<(String, Vec<(String, String)>)> = self.entries("responses", &from).await;
        if let Some((id, _)) = entries.last() {
            self.last.clone_from(id);
        }
        let text = |(_, fields): (String, Vec<(String, String)>)| {
            assert_eq!(fields.len(), 1, "one field: {fields:?}");
            assert_eq!(fields[0].0, "op");
            fields[0].1.clone()
        };
        entries.into_iter().map(text).collect()
    }

    pub(crate) async fn entries(&self, what: &str, from: &str) -> Vec<(String, Vec<(String, String)>)> {
        let told: Redis = self.client.xrange(self.key(what), from, "+", None).await.unwrap();
        let entry = |entry: Redis| {
            let mut parts = entry.into_array().into_iter();
            let id = parts.next().unwrap().into_string().unwrap();
            let texts: Vec<String> = parts.next().unwrap().into_array().into_iter().map(|text| text.into_string().unwrap()).collect();
            (id, texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        };
        told.into_array().into_iter().map(entry).collect()
    }

    /// Requests delivered and not acknowledged.
    pub(crate) async fn pending(&self) -> u64 {
        let summary: Redis = self.client.xpending(self.key("requests"), "billing", ()).await.unwrap();
        summary.into_array().into_iter().next().and_then(|count| count.as_u64()).unwrap_or(0)
    }

    pub(crate) async fn length(&self, what: &str) -> u64 {
        self.client.xlen(self.key(what)).await.unwrap()
    }
}
