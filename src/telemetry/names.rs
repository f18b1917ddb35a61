//! What is counted and what it means. Everything begins at zero: a rate over a counter that appears with its first count
//! does not see that count, and a panel without data says nothing about whether all is well.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::process;

const GAUGES: [(&str, &str); 7] = [
    ("orderboard_sockets", "Websockets open now"),
    ("orderboard_sockets_behind", "Websockets whose kernel buffer is full: they wait to be written to"),
    ("orderboard_billing_pending", "Billing commands given to a worker and not answered yet"),
    ("orderboard_billing_lag", "Billing commands that no worker has been given yet"),
    ("orderboard_notices_waiting", "Orders whose customers or subscribers wait to be told, on the node that does it"),
    ("orderboard_notices_behind_seconds", "How far the telling of orders that were taken is behind, where news of them was missed"),
    ("orderboard_billing_oldest_seconds", "Age of the oldest billing command that is not answered"),
];

const HISTOGRAMS: [(&str, Unit, &str); 6] = [
    ("orderboard_frame_changes", Unit::Count, "Changes that one frame carries"),
    ("orderboard_bus_lag_seconds", Unit::Seconds, "From the publishing of a message to its delivery on this node"),
    ("orderboard_accept_seconds", Unit::Seconds, "One accept, from its request to the decision"),
    ("orderboard_accept_batch_size", Unit::Count, "Accepts decided by one UPDATE"),
    ("orderboard_commit_to_frame_seconds", Unit::Seconds, "From the commit of a change to the frame that carries it"),
    ("orderboard_billing_group_size", Unit::Count, "Billing commands done in one transaction"),
];

const COUNTERS: &[(&str, &str)] = &[
    // The feed.
    ("orderboard_frames_written_total", "Frames of boards written to websockets"),
    ("orderboard_changes_written_total", "Changes in the frames that were written"),
    ("orderboard_bytes_written_total", "Bytes of frames written to websockets"),
    ("orderboard_socket_writes_total", "System calls that wrote to websockets"),
    ("orderboard_snapshots_built_total", "Snapshots of boards put together"),
    ("orderboard_readers_merged_total", "Readers that fell behind and were given the merged latest state"),
    ("orderboard_socket_writes_waited_total", "Writes that found a websocket's kernel buffer full"),
    ("orderboard_sweep_found_total", "Changed rows that nobody had published, found by the sweep"),
    ("orderboard_board_loads_total", "Boards loaded from MySQL"),
    ("orderboard_boards_reloaded_total", "Times that all boards were loaded anew"),
    ("orderboard_news_published_total", "Changed rows handed to the bus"),
    ("orderboard_news_unreadable_total", "Rows on the bus that this release cannot read"),
    // Taking.
    ("orderboard_accept_updates_total", "UPDATE statements that decided accepts"),
    ("orderboard_accept_waited_total", "Accepts that waited for another accept of the same order"),
    // Limits.
    ("orderboard_sockets_refused_total", "Websockets refused: as many as may be are open"),
    ("orderboard_sockets_stalled_total", "Websockets given up: they took nothing for too long"),
    ("orderboard_lookups_refused_total", "Sign-ins refused: too many wait for the database"),
    ("orderboard_socket_messages_refused_total", "Messages of websockets refused: too many a second"),
    ("orderboard_take_queue_full_total", "Accepts refused: too many wait for the database"),
    ("orderboard_connections_waited_total", "Connections that waited for another one to end"),
    ("orderboard_hashing_waited_total", "Sign-ins that waited for a turn to check a password"),
    ("orderboard_transactions_waited_in_vain_total", "Transactions that got no database connection in time"),
    ("orderboard_answers_too_late_total", "Requests whose client was told to wait no longer"),
    ("orderboard_outbox_dropped_total", "Changes left to the sweep: too many waited to be published"),
    ("orderboard_billing_responses_dropped_total", "Billing responses dropped from a full stream"),
    ("orderboard_billing_notes_dropped_total", "Notes on billing commands dropped: too many waited"),
    ("orderboard_notices_put_off_total", "Orders whose customers are told later: too many were taken at once"),
    ("orderboard_notices_trimmed_total", "Notifications deleted: their users have newer ones enough"),
    ("orderboard_links_refused_total", "Links to set a new password that were not sent: asked for again too soon, or too many at once"),
    ("orderboard_notices_rounds_dropped_total", "New orders whose subscribers are not told: too many are new at once"),
    ("orderboard_notices_of_orders_total", "Subscribers told of a new order"),
    ("orderboard_orders_archived_total", "Old orders whose texts and histories went to the archive"),
    // Telegram.
    ("orderboard_telegram_sent_total", "Messages that Telegram took"),
    ("orderboard_telegram_retries_total", "Attempts to send a message that failed and are made again"),
    ("orderboard_telegram_dead_total", "Messages given up"),
    ("orderboard_telegram_unheard_total", "Failures to ask what was written to the bot"),
    // Mail.
    ("orderboard_mail_sent_total", "Letters that the mail server took"),
    ("orderboard_mail_retries_total", "Attempts to send a letter that failed and are made again"),
    ("orderboard_mail_dead_total", "Letters given up"),
    // Faults.
    ("orderboard_panics_total", "Requests that ended in a panic"),
    ("orderboard_database_unavailable_total", "Requests refused because MySQL did not answer"),
    ("orderboard_transaction_conflicts_total", "Transactions done again after a conflict"),
    ("orderboard_sandbox_untold_total", "Notifications that the sandbox gateway could not deliver"),
    // Billing over Redis.
    ("orderboard_billing_poison_total", "Billing commands given up: they could not be read again and again"),
    ("orderboard_billing_claimed_total", "Billing commands taken over from another worker"),
    ("orderboard_billing_resent_total", "Billing answers sent again"),
    ("orderboard_billing_redis_errors_total", "Failures of Redis under a billing worker"),
    ("orderboard_billing_database_errors_total", "Failures of MySQL under a billing worker"),
    // The bus says itself what these are.
    ("orderboard_bus_publish_errors_total", ""),
    ("orderboard_bus_received_messages_total", ""),
    ("orderboard_bus_unreadable_total", ""),
    ("orderboard_bus_reloads_total", ""),
    ("orderboard_bus_direct_dropped_rows_total", ""),
];

/// Counters by a label, with the values that an operator looks for.
const LABELLED: [(&str, &str, &[&str]); 3] = [
    ("orderboard_bus_recoveries_total", "reason", &["lagged", "reconnected", "down", "no position", "epoch", "gap", "silent gap"]),
    ("orderboard_limited_total", "limit", &["requests_s", "requests_min", "accepts_s", "orders_day", "attempts_address", "attempts_email"]),
    ("orderboard_sockets_closed_total", "code", &["1002", "1007", "1012", "4401", "4408", "4413", "4429"]),
];

pub(super) fn register() {
    process::describe();
    for (name, meaning) in GAUGES {
        describe_gauge!(name, meaning);
        gauge!(name).set(0.0);
    }
    for (name, unit, meaning) in HISTOGRAMS {
        describe_histogram!(name, unit, meaning);
        drop(histogram!(name));
    }
    for (name, meaning) in COUNTERS.iter().copied() {
        if !meaning.is_empty() {
            describe_counter!(name, meaning);
        }
        counter!(name).absolute(0);
    }
    describe_counter!("orderboard_limited_total", "Requests refused: their caller asks too often, by limit");
    describe_counter!("orderboard_sockets_closed_total", "Websockets closed by this side, by code");
    for (name, label, values) in LABELLED {
        for value in values {
            counter!(name, label => *value).absolute(0);
        }
    }
    describe_histogram!("orderboard_http_seconds", Unit::Seconds, "Requests, by route and status");
}
