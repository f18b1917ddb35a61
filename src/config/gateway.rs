//! The payment gateway's settings, and what they mean together.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::flow::{Hash, Merchant, Password, SANDBOX_LOGIN, Stage, TopupConfig};
use crate::http::Mode;

const PAGE: &str = "https://auth.robokassa.ru/Merchant/Index.aspx";
const OUTDATED_S: u64 = 28_800;

/// How wallets are topped up.
#[derive(Args, Clone, Debug)]
pub struct Gateway {
    /// The shop's name at Robokassa (MerchantLogin). Without it development uses a sandbox, and production takes no top-ups
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_LOGIN")]
    pub robokassa_login: Option<String>,
    /// Password #1: signs payment links
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_PASSWORD1", hide_env_values = true, value_parser = password)]
    pub robokassa_password1: Option<Password>,
    /// Password #2: signs the gateway's notifications
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_PASSWORD2", hide_env_values = true, value_parser = password)]
    pub robokassa_password2: Option<Password>,
    /// Password #1 for test payments
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_TEST_PASSWORD1", hide_env_values = true, value_parser = password)]
    pub robokassa_test_password1: Option<Password>,
    /// Password #2 for test payments
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_TEST_PASSWORD2", hide_env_values = true, value_parser = password)]
    pub robokassa_test_password2: Option<Password>,
    /// Ask for test payments: wallets are topped up with no money behind it
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_TEST")]
    pub robokassa_test: bool,
    /// The algorithm in the shop's technical settings: md5, ripemd160, sha1, sha256, sha384 or sha512
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_HASH", default_value = "md5", value_parser = hash)]
    pub robokassa_hash: Hash,
    /// The gateway's payment page
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_URL", default_value = PAGE)]
    pub robokassa_url: String,
    /// A gateway of one's own in which nobody pays; never in production. Default: in development, without a login
    #[arg(long, env = "ORDERBOARD_ROBOKASSA_SANDBOX")]
    pub robokassa_sandbox: Option<bool>,
    /// Seconds after which a payment that nobody has made is outdated
    #[arg(long, env = "ORDERBOARD_TOPUP_OUTDATED_S", default_value_t = OUTDATED_S, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub topup_outdated_s: u64,
}

fn password(text: &str) -> Result<Password, String> {
    if text.is_empty() { Err("must not be empty; leave it out instead".to_owned()) } else { Ok(Password::new(text)) }
}

fn hash(name: &str) -> Result<Hash, String> {
    Hash::parse(name).ok_or_else(|| format!("must be one of {}", Hash::ALL.map(Hash::as_str).join(", ")))
}

impl Default for Gateway {
    /// Nothing set: what a command line without a word about it means.
    fn default() -> Self {
        Self {
            robokassa_login: None,
            robokassa_password1: None,
            robokassa_password2: None,
            robokassa_test_password1: None,
            robokassa_test_password2: None,
            robokassa_test: false,
            robokassa_hash: Hash::default(),
            robokassa_url: PAGE.to_owned(),
            robokassa_sandbox: None,
            topup_outdated_s: OUTDATED_S,
        }
    }
}

impl Gateway {
    /// What the settings mean together; or, in one line, why they cannot be meant.
    pub fn topups(&self, mode: Mode) -> Result<TopupConfig, String> {
        Ok(TopupConfig { gateway: self.merchant(mode)?, outdated_after: Duration::from_secs(self.topup_outdated_s) })
    }

    fn merchant(&self, mode: Mode) -> Result<Option<Merchant>, String> {
        let is_production = mode == Mode::Production;
        if is_production && self.robokassa_sandbox == Some(true) {
            return Err("ORDERBOARD_ROBOKASSA_SANDBOX: nobody pays in the sandbox, so production refuses it; set ORDERBOARD_ROBOKASSA_LOGIN and its passwords instead".into());
        }
        let Some(login) = &self.robokassa_login else { return self.without_login(is_production) };
        if self.robokassa_sandbox == Some(true) {
            return Err("ORDERBOARD_ROBOKASSA_SANDBOX and ORDERBOARD_ROBOKASSA_LOGIN are two gateways; choose one".into());
        }
        let is_plain = !login.is_empty() && login.chars().all(|c| c.is_ascii_graphic() && c != ':');
        if !is_plain || login == SANDBOX_LOGIN {
            return Err("ORDERBOARD_ROBOKASSA_LOGIN must be the shop's name at Robokassa, without spaces and colons".into());
        }
        let is_safe = self.robokassa_url.starts_with("https://") || !is_production && self.robokassa_url.starts_with("http://");
        if !is_safe || self.robokassa_url.contains(['?', '#', ' ']) {
            return Err(format!("ORDERBOARD_ROBOKASSA_URL must be the gateway's page, such as {PAGE}, and https in production"));
        }
        let (first, second) = self.passwords()?;
        Ok(Some(Merchant {
            login: login.clone(),
            first,
            second,
            hash: self.robokassa_hash,
            stage: if self.robokassa_test { Stage::Test } else { Stage::Live },
            page: self.robokassa_url.clone(),
        }))
    }

    fn without_login(&self, is_production: bool) -> Result<Option<Merchant>, String> {
        let passwords =
            [&self.robokassa_password1, &self.robokassa_password2, &self.robokassa_test_password1, &self.robokassa_test_password2];
        if self.robokassa_test || passwords.into_iter().any(Option::is_some) {
            return Err("ORDERBOARD_ROBOKASSA_LOGIN is missing; other settings of the gateway are there".into());
        }
        let wants_sandbox = self.robokassa_sandbox.unwrap_or(!is_production);
        Ok(wants_sandbox.then(Merchant::sandbox))
    }

    /// The pair in force. One password for two things would be no secret: whoever is sent back after a payment sees a
    /// signature by the first, which must be worth nothing as a notification; and a test payment must be worth nothing live.
    fn passwords(&self) -> Result<(Password, Password), String> {
        let live = (&self.robokassa_password1, &self.robokassa_password2);
        let test = (&self.robokassa_test_password1, &self.robokassa_test_password2);
        let (pair, names) = match self.robokassa_test {
            true => (test, "ORDERBOARD_ROBOKASSA_TEST_PASSWORD1 and ORDERBOARD_ROBOKASSA_TEST_PASSWORD2"),
            false => (live, "ORDERBOARD_ROBOKASSA_PASSWORD1 and ORDERBOARD_ROBOKASSA_PASSWORD2"),
        };
        let all: Vec<&Password> = [live.0, live.1, test.0, test.1].into_iter().flatten().collect();
        if (1..all.len()).any(|at| all[..at].contains(&all[at])) {
            return Err("the passwords of Robokassa (ORDERBOARD_ROBOKASSA_PASSWORD1, …) must all differ".into());
        }
        match pair {
            (Some(first), Some(second)) => Ok((first.clone(), second.clone())),
            _ => Err(format!("{names} are both needed beside ORDERBOARD_ROBOKASSA_LOGIN")),
        }
    }

    pub(super) fn in_force(&self, mode: Mode) -> GatewayInForce {
        let gateway = self.merchant(mode).ok().flatten();
        GatewayInForce {
            robokassa: gateway.as_ref().map(|gateway| match gateway.stage {
                Stage::Live => "live",
                Stage::Test => "test",
                Stage::Sandbox => "sandbox",
            }),
            robokassa_login: gateway.as_ref().map(|gateway| gateway.login.clone()),
            robokassa_hash: self.robokassa_hash.as_str(),
            robokassa_url: self.robokassa_url.clone(),
            topup_outdated_s: self.topup_outdated_s,
        }
    }
}

/// What is in force; no password is among it.
#[derive(Serialize)]
pub struct GatewayInForce {
    /// `live`, `test` or `sandbox`; `null` where wallets cannot be topped up.
    pub robokassa: Option<&'static str>,
    pub robokassa_login: Option<String>,
    pub robokassa_hash: &'static str,
    pub robokassa_url: String,
    pub topup_outdated_s: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Gateway {
        let password = |text| Some(Password::new(text));
        Gateway {
            robokassa_login: Some("shop".into()),
            robokassa_password1: password("a"),
            robokassa_password2: password("b"),
            ..Gateway::default()
        }
    }

    fn stage(gateway: &Gateway, mode: Mode) -> Option<Stage> {
        gateway.topups(mode).unwrap().gateway.map(|gateway| gateway.stage)
    }

    #[test]
    fn the_sandbox_is_for_development_only() {
        assert_eq!(stage(&Gateway::default(), Mode::Development), Some(Stage::Sandbox));
        assert_eq!(stage(&Gateway::default(), Mode::Production), None);
        let wanted = Gateway { robokassa_sandbox: Some(true), ..Gateway::default() };
        assert_eq!(stage(&wanted, Mode::Development), Some(Stage::Sandbox));
        assert!(wanted.topups(Mode::Production).unwrap_err().contains("production refuses it"));
        let unwanted = Gateway { robokassa_sandbox: Some(false), ..Gateway::default() };
        assert_eq!(stage(&unwanted, Mode::Development), None);
        for mode in [Mode::Development, Mode::Production] {
            assert_eq!(stage(&shop(), mode), Some(Stage::Live));
        }
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused_in_one_line() {
        let password = |text| Some(Password::new(text));
        let wrong = [
            Gateway { robokassa_login: None, ..shop() },
            Gateway { robokassa_test: true, ..Gateway::default() },
            Gateway { robokassa_password2: None, ..shop() },
            Gateway { robokassa_password2: password("a"), ..shop() },
            Gateway { robokassa_test_password1: password("b"), ..shop() },
            Gateway { robokassa_test: true, ..shop() },
            Gateway { robokassa_test: true, robokassa_test_password1: password("c"), ..shop() },
            Gateway { robokassa_login: Some(String::new()), ..shop() },
            Gateway { robokassa_login: Some("a:b".into()), ..shop() },
            Gateway { robokassa_login: Some(SANDBOX_LOGIN.into()), ..shop() },
            Gateway { robokassa_sandbox: Some(true), ..shop() },
            Gateway { robokassa_url: "http://auth.robokassa.ru/".into(), ..shop() },
            Gateway { robokassa_url: "/sandbox/robokassa".into(), ..shop() },
        ];
        for gateway in wrong {
            let line = gateway.topups(Mode::Production).unwrap_err();
            assert!(line.contains("ORDERBOARD_ROBOKASSA_") && !line.contains('\n'), "{line}");
        }
        let test =
            Gateway { robokassa_test: true, robokassa_test_password1: password("c"), robokassa_test_password2: password("d"), ..shop() };
        assert_eq!(stage(&test, Mode::Production), Some(Stage::Test));
        assert!(!format!("{:?}", shop()).contains("\"a\""), "passwords are not printed");
        assert!(!serde_json::to_string(&shop().in_force(Mode::Production)).unwrap().contains("assword"));
    }
}
