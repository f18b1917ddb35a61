//! Other systems: their tokens, and what they and users ask of billing over HTTP.

use super::billing::{Answered, Scope};
use super::{Flow, FlowError, hash_token, now, random_token};
use crate::domain::billing::Request;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::store::services::Service;

const NAME_MAX: usize = 64;

impl Flow {
    /// A new token of the service called `name`; a service may have several, to change them without a pause.
    pub async fn make_service_token(&self, name: &str) -> Result<String, FlowError> {
        let is_usable = !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_usable {
            return Err(
                Invalid::new("name", Reason::Malformed, format!("a service's name is 1 to {NAME_MAX} visible ASCII characters")).into()
            );
        }
        let token = random_token();
        self.store.insert_service(name, hash_token(&token), now()).await?;
        Ok(token)
    }

    /// Ends every token of the service; how many there were.
    pub async fn end_service_tokens(&self, name: &str) -> Result<u64, FlowError> {
        match self.store.end_services(name, now()).await? {
            0 => Err(Refusal::NotFound("service").into()),
            ended => Ok(ended),
        }
    }

    /// The service that has this token.
    pub async fn service(&self, token: &str) -> Result<Option<Service>, FlowError> {
        Ok(self.store.service(hash_token(token)).await?)
    }

    /// Puts a service's request into the queue. False when there is no Redis to put it into: then it must be carried out
    /// at once.
    pub async fn enqueue(&self, op: &str) -> bool {
        match &self.queue {
            Some(queue) => match queue.request(op).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(%error, "a billing request could not be queued and is carried out at once");
                    false
                }
            },
            None => false,
        }
    }

    /// Carries out one request now.
    pub async fn carry_out_one(&self, scope: Scope, request: &Request) -> Result<Answered, FlowError> {
        let mut answers = self.carry_out(scope, std::slice::from_ref(request), false).await?;
        answers.pop().ok_or_else(|| FlowError::Internal("a request was not answered".into()))
    }

    /// The answer to an operation, for a user: one of their own, or one that moved their money.
    pub async fn operation_of_user(&self, user_id: u64, operation_id: &str) -> Result<Option<String>, FlowError> {
        if let Some(own) = self.operation(Scope::User(user_id), operation_id).await? {
            return Ok(Some(own));
        }
        match self.store.operation_touches(&Scope::Services.id(operation_id), user_id).await? {
            true => self.operation(Scope::Services, operation_id).await,
            false => Ok(None),
        }
    }
}
