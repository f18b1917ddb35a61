//! The names of the bus's metrics.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(super) const UP: &str = "orderboard_bus_up";
pub(super) const PUBLISHED: &str = "orderboard_bus_published_rows_total";
pub(super) const SUPPRESSED: &str = "orderboard_bus_suppressed_rows_total";
pub(super) const PUBLISH_ERRORS: &str = "orderboard_bus_publish_errors_total";
pub(super) const PUBLISH_SECONDS: &str = "orderboard_bus_publish_seconds";
pub(super) const RECEIVED: &str = "orderboard_bus_received_messages_total";
pub(super) const DUPLICATES: &str = "orderboard_bus_duplicate_messages_total";
pub(super) const UNREADABLE: &str = "orderboard_bus_unreadable_total";
pub(super) const RECOVERIES: &str = "orderboard_bus_recoveries_total";
pub(super) const BRIDGED: &str = "orderboard_bus_bridged_messages_total";
pub(super) const RELOADS: &str = "orderboard_bus_reloads_total";
pub(super) const DIRECT: &str = "orderboard_bus_direct_rows_total";
pub(super) const DIRECT_DROPPED: &str = "orderboard_bus_direct_dropped_rows_total";
pub(super) const LAG_SECONDS: &str = "orderboard_bus_lag_seconds";
pub(super) const PULSE_SECONDS: &str = "orderboard_bus_pulse_seconds";
pub(super) const MOVES: &str = "orderboard_bus_server_changes_total";
pub(super) const PRIVATE_CHANNELS: &str = "orderboard_private_channels";
pub(super) const PRIVATE_RECEIVED: &str = "orderboard_private_received_messages_total";
pub(super) const PRIVATE_LOST: &str = "orderboard_private_lost_messages_total";
pub(super) const PRIVATE_RECOVERIES: &str = "orderboard_private_recoveries_total";
pub(super) const PRIVATE_BATCH_SECONDS: &str = "orderboard_private_batch_seconds";

pub(super) fn describe() {
    describe_gauge!(UP, "1 while news travels over Redis, 0 while it does not");
    describe_counter!(PUBLISHED, "Rows sent");
    describe_counter!(SUPPRESSED, "Rows not sent because that version had been carried already");
    describe_counter!(PUBLISH_ERRORS, "Publish calls that failed");
    describe_histogram!(PUBLISH_SECONDS, Unit::Seconds, "One publish call, waiting for a free place included");
    describe_counter!(RECEIVED, "Live messages that continued the sequence");
    describe_counter!(DUPLICATES, "Live messages dropped because the history had brought them");
    describe_counter!(UNREADABLE, "Messages or rows on our channel that could not be read");
    describe_counter!(RECOVERIES, "Recoveries of the feed, by reason; `gap` and `silent gap` are messages that got lost");
    describe_counter!(BRIDGED, "Messages read from the history to fill a gap");
    describe_counter!(RELOADS, "Gaps that nothing could bridge");
    describe_counter!(DIRECT, "Rows handed to this node's feed without Redis");
    describe_counter!(DIRECT_DROPPED, "Rows not handed over because the reader was too slow");
    describe_histogram!(
        LAG_SECONDS,
        Unit::Seconds,
        "From Redis sending a message to this node having it; between two machines' clocks, so good for changes more than for its absolute value"
    );
    describe_gauge!(PULSE_SECONDS, Unit::Seconds, "The newest reading of the position, there and back on the subscriber connection");
    describe_counter!(MOVES, "Connections that went to another server: failovers and moved slots");
    describe_gauge!(PRIVATE_CHANNELS, "Users' channels this node is subscribed to");
    describe_counter!(PRIVATE_RECEIVED, "Messages on users' channels");
    describe_counter!(PRIVATE_LOST, "Messages on users' channels dropped because their reader was too slow; the sweep finds the rows");
    describe_counter!(PRIVATE_RECOVERIES, "Connections of users' channels made anew");
    describe_histogram!(PRIVATE_BATCH_SECONDS, Unit::Seconds, "Subscribing and unsubscribing one batch of users, until confirmed");
}
