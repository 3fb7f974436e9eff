//! What the threads of a live view share: the model, and messages on their way to it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use retrans_view::top::Model;
use retrans_view::top::Recording;

/// Maximum number of messages that wait for the model. Beyond it the oldest one is dropped, as in the model itself.
const MAX_MESSAGES: usize = 1_000;

/// Maximum length of a message in bytes. What is beyond is not shown.
const MAX_LENGTH: usize = 16 << 10;

/// The model, and what is on its way to it.
pub struct Shared {
    model: Mutex<Model>,
    /// Messages. They are not written to the model at once: a thread that holds its lock may log.
    messages: Mutex<VecDeque<String>>,
    wants_recording: AtomicBool,
}

impl Shared {
    /// With this model.
    pub fn new(model: Model) -> Shared {
        Shared {
            model: Mutex::new(model),
            messages: Mutex::default(),
            wants_recording: AtomicBool::new(false),
        }
    }

    /// Locks the model.
    pub fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message of one or more lines.
    pub fn log(&self, text: &str) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() >= MAX_MESSAGES {
            messages.pop_front();
        }
        messages.push_back(text[..text.floor_char_boundary(MAX_LENGTH)].to_owned());
    }

    /// Passes the messages on to the model.
    pub fn deliver(&self) {
        let mut waiting = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = std::mem::take(&mut *waiting);
        drop(waiting);
        if !messages.is_empty() {
            let mut model = self.model();
            messages.iter().for_each(|message| model.log(message));
        }
    }

    /// Begins a recording, or ends it.
    pub fn toggle_recording(&self) {
        let model = self.model();
        let (recording, has_ended) = (model.recording.clone(), model.has_ended);
        drop(model);
        match recording {
            Recording::Unavailable => {
                self.log("to record from here, start with --record-dir DIR");
            }
            _ if has_ended => self.log("there is nothing left to record: the files have ended"),
            _ => {
                self.wants_recording.fetch_xor(true, Ordering::Relaxed);
            }
        }
    }

    /// Whether a recording is wanted.
    pub fn wants_recording(&self) -> bool {
        self.wants_recording.load(Ordering::Relaxed)
    }

    /// Notes that the wanted recording could not be begun.
    pub fn give_up_recording(&self) {
        self.wants_recording.store(false, Ordering::Relaxed);
    }
}
