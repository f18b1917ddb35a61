//! One entry of the table of routes.

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::takes::{Takes, Taking};
use crate::domain::user::Role;
use crate::http::Api;
use crate::http::error::codes::Code;

/// Writes a type's schema.
pub(in crate::http) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What is done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Who is let in at all; whose things they then may see and touch is for the use case to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Guests, too.
    Anybody,
    /// Whoever is signed in, in any role.
    SignedIn,
    Customers,
    Executors,
    /// Customers and executors: the two sides of a contract.
    Parties,
    Admins,
    /// Other systems with a service token; users for what is theirs.
    Services,
}

/// Where a route exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Everywhere,
    /// Where the sandbox is the payment gateway.
    Sandbox,
    Development,
}

/// How an answer that is no refusal looks.
#[derive(Clone, Copy)]
pub(in crate::http) struct Answered {
    pub(in crate::http) status: u16,
    pub(in crate::http) body: Body,
}

#[derive(Clone, Copy)]
pub(in crate::http) enum Body {
    Nothing,
    Json(SchemaOf),
    /// Text of this media type.
    Text(&'static str),
}

/// A route: what is called how by whom, who answers, and how.
pub struct Route {
    pub verb: Verb,
    pub path: &'static str,
    pub who: Who,
    pub place: Place,
    /// In a few words.
    pub what: &'static str,
    /// In as many as it takes; often none.
    pub(in crate::http) more: &'static str,
    pub(super) handler: MethodRouter<Api>,
    /// What the handler takes, told by its own arguments.
    pub(in crate::http) taking: Taking,
    pub(in crate::http) answers: Vec<Answered>,
    /// Beside those that come with who may call and with what the handler takes.
    pub(in crate::http) refusals: Vec<Code>,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

impl Who {
    /// Whether a caller in this role is let in; nobody's role is a guest's.
    pub fn may(self, role: Option<Role>) -> bool {
        match self {
            Who::Anybody => true,
            Who::SignedIn | Who::Services => role.is_some(),
            Who::Customers => role == Some(Role::Customer),
            Who::Executors => role == Some(Role::Executor),
            Who::Parties => matches!(role, Some(Role::Customer | Role::Executor)),
            Who::Admins => role == Some(Role::Admin),
        }
    }
}

impl Route {
    pub(super) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// What a caller has to know beside the few words.
    pub(super) fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    /// 200 with this as JSON.
    pub(super) fn answers<T: JsonSchema>(self) -> Self {
        self.answered(200, Body::Json(schema_of::<T>))
    }

    /// 201 with what was made.
    pub(super) fn creates<T: JsonSchema>(self) -> Self {
        self.answered(201, Body::Json(schema_of::<T>))
    }

    /// 202: it will be done.
    pub(super) fn begins<T: JsonSchema>(self) -> Self {
        self.answered(202, Body::Json(schema_of::<T>))
    }

    /// 204.
    pub(super) fn says_nothing(self) -> Self {
        self.answered(204, Body::Nothing)
    }

    /// 304, to whoever has it already.
    pub(super) fn or_unchanged(self) -> Self {
        self.answered(304, Body::Nothing)
    }

    /// 303: the browser goes on.
    pub(super) fn sends_on(self) -> Self {
        self.answered(303, Body::Nothing)
    }

    /// 101: the connection becomes a websocket.
    pub(super) fn switches(self) -> Self {
        self.answered(101, Body::Nothing)
    }

    /// Text of this media type.
    pub(super) fn writes(self, status: u16, media_type: &'static str) -> Self {
        self.answered(status, Body::Text(media_type))
    }

    /// The rules' own ways to say no.
    pub(super) fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend(codes);
        self
    }

    /// What the text in the path is.
    pub(super) fn named<T: JsonSchema>(mut self) -> Self {
        self.taking.segment = Some(schema_of::<T>);
        self
    }

    /// A query that the handler reads by itself.
    pub(super) fn asked<T: JsonSchema>(mut self) -> Self {
        self.taking.query = Some(inline::<T>);
        self
    }

    /// A form that the handler reads by itself.
    pub(super) fn filled_in<T: JsonSchema>(mut self) -> Self {
        self.taking.form = Some(inline::<T>);
        self
    }

    fn answered(mut self, status: u16, body: Body) -> Self {
        self.answers.push(Answered { status, body });
        self
    }
}

pub(in crate::http) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Its members, and not its name.
pub(in crate::http) fn inline<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

macro_rules! verbs {
    ($($name:ident $verb:ident),+) => {$(
        pub(super) fn $name<T: Takes + 'static>(path: &'static str, who: Who, handler: impl Handler<T, Api>, what: &'static str) -> Route {
            let mut taking = Taking::default();
            T::tell(&mut taking);
            let handler = routing::$name(handler);
            Route { verb: Verb::$verb, path, who, place: Place::Everywhere, what, more: "", handler, taking, answers: Vec::new(), refusals: Vec::new() }
        }
    )+};
}

verbs!(get Get, post Post, put Put, patch Patch, delete Delete);
