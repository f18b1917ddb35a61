//! What a handler takes, told by the types of its arguments: so the description of a route cannot say anything else than what
//! its handler does.

use axum::extract::{ConnectInfo, RawQuery, Request, State};
use axum::http::HeaderMap;
use schemars::JsonSchema;

use super::entry::{SchemaOf, inline, schema_of};
use crate::http::Api;
use crate::http::billing::Commander;
use crate::http::caller::{Caller, MaybeCaller};
use crate::http::error::codes::{self, Code};
use crate::http::extract::{Id, Json, Key, MaybeJson, Query, Segment};
use crate::http::server::Peer;
use crate::http::topups::Greeting;

/// What is taken from a request, and what may be wrong with it.
#[derive(Default)]
pub(in crate::http) struct Taking {
    pub(in crate::http) body: Option<SchemaOf>,
    pub(in crate::http) is_body_required: bool,
    pub(in crate::http) form: Option<SchemaOf>,
    pub(in crate::http) query: Option<SchemaOf>,
    /// What the text in the path is; else it is a number.
    pub(in crate::http) segment: Option<SchemaOf>,
    pub(in crate::http) has_key: bool,
    /// The caller is looked at; guests may be welcome all the same.
    pub(in crate::http) knows_caller: bool,
    pub(in crate::http) needs_caller: bool,
    pub(in crate::http) refusals: Vec<Code>,
}

/// A part of a request, or a handler's whole list of them.
pub(in crate::http) trait Takes {
    fn tell(taking: &mut Taking);
}

macro_rules! take_nothing {
    ($($type:ty),+) => { $(impl Takes for $type { fn tell(_: &mut Taking) {} })+ };
}

// The last two are read by their handlers, whose routes say what is in them.
take_nothing!(State<Api>, HeaderMap, ConnectInfo<Peer>, Greeting, Request, RawQuery);

const OF_A_BODY: [Code; 4] = [codes::BROKEN, codes::TOO_SLOW, codes::TOO_LARGE, codes::INVALID];

impl<T: JsonSchema> Takes for Json<T> {
    fn tell(taking: &mut Taking) {
        taking.body = Some(schema_of::<T>);
        taking.is_body_required = true;
        taking.refusals.extend(OF_A_BODY);
        taking.refusals.push(codes::MEDIA_TYPE);
    }
}

impl<T: JsonSchema> Takes for MaybeJson<T> {
    fn tell(taking: &mut Taking) {
        taking.body = Some(schema_of::<T>);
        taking.refusals.extend(OF_A_BODY);
    }
}

impl<T: JsonSchema> Takes for Query<T> {
    fn tell(taking: &mut Taking) {
        taking.query = Some(inline::<T>);
        taking.refusals.push(codes::INVALID);
    }
}

impl Takes for Id {
    fn tell(taking: &mut Taking) {
        taking.refusals.push(codes::NOT_FOUND);
    }
}

impl Takes for Segment {
    fn tell(taking: &mut Taking) {
        taking.segment = Some(schema_of::<String>);
        taking.refusals.push(codes::NOT_FOUND);
    }
}

impl Takes for Key {
    fn tell(taking: &mut Taking) {
        taking.has_key = true;
        taking.refusals.extend([codes::INVALID, codes::MISMATCH]);
    }
}

impl Takes for MaybeCaller {
    fn tell(taking: &mut Taking) {
        taking.knows_caller = true;
        taking.refusals.push(codes::UNAUTHENTICATED);
    }
}

impl Takes for Caller {
    fn tell(taking: &mut Taking) {
        (taking.knows_caller, taking.needs_caller) = (true, true);
        taking.refusals.push(codes::UNAUTHENTICATED);
    }
}

impl Takes for Commander {
    fn tell(taking: &mut Taking) {
        Caller::tell(taking);
    }
}

/// A handler without arguments.
impl Takes for ((),) {
    fn tell(_: &mut Taking) {}
}

// `M` is axum's mark of how the last argument is taken.
macro_rules! take_each {
    ($($part:ident),+) => {
        impl<M, $($part: Takes),+> Takes for (M, $($part,)+) {
            fn tell(taking: &mut Taking) {
                $($part::tell(taking);)+
            }
        }
    };
}

take_each!(A);
take_each!(A, B);
take_each!(A, B, C);
take_each!(A, B, C, D);
take_each!(A, B, C, D, E);
take_each!(A, B, C, D, E, F);
