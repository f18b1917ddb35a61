//! Where the payment gateway speaks to us: ResultURL from its server, SuccessURL and FailURL through the payer's browser.
//! Each takes its parameters by GET as a query or by POST as a form, as the shop's settings at the gateway say. Nobody is
//! signed in here, and no cookie is looked at: a signature counts, or nothing does.

use axum::extract::{Request, State};
use axum::http::Method;
use schemars::JsonSchema;

use super::Api;
use super::error::{Answer, Problem, not_believed, see_other, typed_ok};
use super::extract;
use crate::domain::robokassa::{Fields, Unreadable, invoice};
use crate::flow::{Arrival, Fault};

/// What the gateway sends: these, and the shop's own `Shp_…`. What is missing is said in the answer.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by name, out of a query or a form; this is for the description")]
pub(super) struct Message {
    #[schemars(rename = "OutSum")]
    out_sum: Option<String>,
    #[schemars(rename = "InvId")]
    inv_id: Option<String>,
    #[schemars(rename = "SignatureValue")]
    signature_value: Option<String>,
}

/// Money has arrived. The gateway repeats this until it reads `OK` and the invoice's number, and is told so each time.
pub(super) async fn result(State(api): State<Api>, request: Request) -> Answer {
    let heard = match fields(request).await? {
        Ok(fields) => api.flow.hear_of_payment(&fields).await?,
        Err(unreadable) => Err(Fault::Unreadable(unreadable)),
    };
    Ok(match heard {
        Ok(Arrival::Credited(id) | Arrival::Known(id)) => typed_ok("text/plain; charset=utf-8", format!("OK{id}")),
        Err(fault) => {
            match fault {
                Fault::WrongSum { .. } => tracing::error!(?fault, "the payment gateway tells of another sum than was asked for"),
                _ => tracing::warn!(?fault, "a payment notification was not believed"),
            }
            not_believed(&fault)
        }
    })
}

/// The payer is back after a payment. Nothing is credited here: the page shows what is known, and the balance moves when
/// the notification has come, which is mostly before.
pub(super) async fn success(State(api): State<Api>, request: Request) -> Answer {
    let returned = fields(request).await?.ok().and_then(|fields| api.flow.returned_from_payment(&fields));
    match returned {
        Some(id) => see_other(&format!("/balance?account=wallet&topup={id}&payment=success")),
        None => see_other("/balance?account=wallet&payment=unknown"),
    }
}

/// The payer is back without having paid. Nobody signs this, so it changes nothing: the payment stays `created`, may still
/// be made by the same link, and is outdated in its time.
pub(super) async fn fail(request: Request) -> Answer {
    let named = fields(request).await?.ok().and_then(|fields| fields.required("InvId").ok().and_then(invoice));
    match named {
        Some(id) => see_other(&format!("/balance?account=wallet&topup={id}&payment=fail")),
        None => see_other("/balance?account=wallet&payment=fail"),
    }
}

async fn fields(request: Request) -> Result<Result<Fields, Unreadable>, Problem> {
    if *request.method() == Method::POST {
        return Ok(Fields::parse(&extract::body(request.into_body()).await?));
    }
    Ok(Fields::parse(request.uri().query().unwrap_or_default().as_bytes()))
}
