//! The bot's settings.

use clap::Args;

use crate::flow::TelegramConfig;
use crate::jobs::telegram::Bot;

/// How messages go out at Telegram. They are tried again and taken over as letters are.
#[derive(Args, Clone, Debug)]
pub struct TelegramArgs {
    /// The bot's token, as @BotFather gives it. Without it nothing is sent at Telegram. Say the same on every node
    #[arg(long, env = "ORDERBOARD_TELEGRAM_TOKEN", hide_env_values = true)]
    pub telegram_token: Option<String>,
    /// The bot's name, for the link that opens it
    #[arg(long, env = "ORDERBOARD_TELEGRAM_BOT")]
    pub telegram_bot: Option<String>,
    /// The server of the Bot API; plain http on this machine only
    #[arg(long, env = "ORDERBOARD_TELEGRAM_API", default_value = "https://api.telegram.org")]
    pub telegram_api: String,
}

impl Default for TelegramArgs {
    /// Nothing set: no messages.
    fn default() -> Self {
        Self { telegram_token: None, telegram_bot: None, telegram_api: "https://api.telegram.org".to_owned() }
    }
}

impl TelegramArgs {
    /// The bot, and what messages need to know, where they are sent; or, in one line, what is wrong.
    pub fn bot(&self, board: Option<&str>) -> Result<Option<(Bot, TelegramConfig)>, String> {
        let Some(token) = &self.telegram_token else { return Ok(None) };
        let name = self.telegram_bot.as_deref().map(|name| name.trim_start_matches('@'));
        let name = name.ok_or("ORDERBOARD_TELEGRAM_BOT is missing: the name of the bot whose token this is")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err("ORDERBOARD_TELEGRAM_BOT must be a bot's name, such as example_bot".to_owned());
        }
        let board = board.map(|board| board.trim_end_matches('/').to_owned());
        Ok(Some((Bot::new(&self.telegram_api, token)?, TelegramConfig { bot: name.to_owned(), board })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_has_a_token_and_a_name() {
        let args = |token: Option<&str>, name: Option<&str>| TelegramArgs {
            telegram_token: token.map(str::to_owned),
            telegram_bot: name.map(str::to_owned),
            ..TelegramArgs::default()
        };
        assert!(args(None, Some("a_bot")).bot(None).expect("no bot").is_none());
        let (_, config) = args(Some("1:A"), Some("@a_bot")).bot(Some("https://board.example/")).expect("a bot").expect("a bot");
        assert_eq!((config.bot.as_str(), config.board.as_deref()), ("a_bot", Some("https://board.example")));
        for (token, name) in [(Some("1:A"), None), (Some("1:A"), Some("a bot")), (Some("1 A"), Some("a_bot"))] {
            let told = args(token, name).bot(None).err().expect("a mistake");
            assert!(told.contains("ORDERBOARD_TELEGRAM_") && !told.contains('\n'), "{told}");
        }
    }
}
