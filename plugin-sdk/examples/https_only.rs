//! The shortest useful plugin: keeps retransmits to HTTPS servers.

use retrans_plugin_sdk::prelude::*;

filter!(|event| event.peer().port() == 443);
