//! `plugin diff`: what two versions of a plugin answer differently.

use anyhow::Result;
use anyhow::bail;
use serde_json::json;
use similar::ChangeTag;
use similar::TextDiff;

use super::super::engine;
use super::super::print_result;
use super::trial::Logs;
use super::trial::Recorded;
use crate::config::PluginDiff;
use crate::plugin::Spec;

/// Lines around a difference.
const CONTEXT: usize = 2;

/// Size of the batches.
const BATCH: usize = 256;

/// Runs both versions over the same events, and prints the differences as a unified diff. An error if there are any, as
/// diff(1) has an exit code for that.
pub fn diff(config: &PluginDiff) -> Result<()> {
    let engine = engine()?;
    let recorded = Recorded::read(&config.events, usize::MAX)?;
    let run = |plugin: &Spec| -> Result<String> {
        // Alerts have the name of the instance, which would differ.
        let plugin = Spec {
            name: "plugin".to_owned(),
            ..plugin.clone()
        };
        let trial = recorded.pass_through(&engine, &[plugin], BATCH, Logs::Hidden)?;
        Ok(trial.text())
    };
    let (old, new) = (run(&config.old)?, run(&config.new)?);
    let diff = TextDiff::from_lines(&old, &new);
    let count = |tag| {
        let changes = diff.iter_all_changes();
        changes.filter(|change| change.tag() == tag).count()
    };
    let (only_old, only_new) = (count(ChangeTag::Delete), count(ChangeTag::Insert));
    let mut unified = diff.unified_diff();
    let (old_name, new_name) = (config.old.origin.to_string(), config.new.origin.to_string());
    let unified = unified.context_radius(CONTEXT).header(&old_name, &new_name);
    let text = match config.json {
        true => {
            let same = only_old + only_new == 0;
            let report = json!({
                "same": same,
                "only_old": only_old,
                "only_new": only_new,
                "diff": unified.to_string(),
            });
            format!("{report}\n")
        }
        false if only_old + only_new == 0 => {
            format!(
                "both do the same with {} events\n",
                recorded.events().count()
            )
        }
        false => unified.to_string(),
    };
    print_result(&text)?;
    if only_old + only_new > 0 {
        bail!(
            "the versions differ: {only_old} lines of {old_name} are gone, {only_new} of {new_name} are new"
        );
    }
    Ok(())
}
