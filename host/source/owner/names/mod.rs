//! Names of pods and containers, from what the kubelet, Docker and Podman keep on disk.
//!
//! A thread of its own reads the files, because a file system may not answer: the source waits for it for [`MAX_WAIT`]
//! at most. A container has no name until its records were read, nor if they do not tell one for certain.

mod engine;
mod kubelet;
mod mounts;
mod places;
mod reader;

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use foldhash::fast::RandomState;
use rustix::thread::CapabilitySet;

use self::reader::Reader;
use super::container::Container;
use super::container::Keeper;
use crate::system::threads;

pub use self::places::Places;

/// The longest time that the source waits for the names of a container.
const MAX_WAIT: Duration = Duration::from_millis(20);

/// After a wait, the source does not wait again for this many times as long.
const PAUSE: u32 = 10;

/// The time after which a container whose names are not all known is looked up again. It doubles up to [`RENEWAL`]: the
/// kubelet makes the link of a container after its start.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// The time after which a container is looked up again in any case: Docker and Podman can rename it.
const RENEWAL: Duration = Duration::from_secs(60);

/// The most containers whose names are remembered, 8 MB with the longest names.
const MAX_KNOWN: usize = 8_192;

/// The names of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Those of a container of a pod.
    Pod {
        /// Its namespace in Kubernetes.
        namespace: String,
        /// The name of the pod.
        pod: String,
        /// The name of the container in the pod; `None` if it is not known.
        container: Option<String>,
    },
    /// The name that a container has in Docker or Podman.
    Engine(String),
}

impl Names {
    /// The labels of events, as OpenTelemetry names them, in the order of their keys.
    pub const LABELS: [&'static str; 4] = [
        "container.name",
        "k8s.container.name",
        "k8s.namespace.name",
        "k8s.pod.name",
    ];

    /// The values of [`LABELS`](Names::LABELS).
    pub fn values(&self) -> [Option<&str>; 4] {
        match self {
            Names::Engine(name) => [Some(name), None, None, None],
            Names::Pod {
                namespace,
                pod,
                container,
            } => [None, container.as_deref(), Some(namespace), Some(pod)],
        }
    }

    /// Whether nothing is missing.
    fn are_complete(&self) -> bool {
        !matches!(
            self,
            Names::Pod {
                container: None,
                ..
            }
        )
    }
}

/// The answer to a question for the names of a container.
struct Answer {
    id: String,
    names: Option<Names>,
}

/// What is known about a container.
struct Known {
    names: Option<Rc<Names>>,
    /// When the first answer came.
    since: Instant,
    /// When it is looked up again.
    again: Instant,
}

/// Finds the names of containers.
pub struct NameFinder {
    /// One question is under way at a time.
    questions: Sender<Container>,
    answers: Receiver<Answer>,
    is_asked: bool,
    known: HashMap<String, Known, RandomState>,
    /// When the source may wait again.
    may_wait: Instant,
}

impl NameFinder {
    /// Starts the thread that reads below `places`. It keeps the right to read files of other users, if this thread has
    /// it.
    ///
    /// # Errors
    ///
    /// If the system refuses a further thread.
    pub fn start(places: Places) -> io::Result<NameFinder> {
        let (questions, asked) = bounded::<Container>(1);
        let (answer, answers) = bounded(1);
        let mut reader = Reader::new(places);
        // It is not joined: a file system that does not answer must not hold up the end of the process.
        threads::named("names")
            .keeping(CapabilitySet::DAC_READ_SEARCH)
            .spawn(move || {
                for container in asked {
                    let names = reader.names(&container, Instant::now());
                    let id = container.id;
                    if answer.send(Answer { id, names }).is_err() {
                        break;
                    }
                }
            })?;
        Ok(NameFinder::new(questions, answers))
    }

    fn new(questions: Sender<Container>, answers: Receiver<Answer>) -> NameFinder {
        NameFinder {
            questions,
            answers,
            is_asked: false,
            known: HashMap::default(),
            may_wait: Instant::now(),
        }
    }

    /// The names of a container, if they are known. Asks for them if they are not, and waits for [`MAX_WAIT`] at most.
    pub fn names(&mut self, container: &Container) -> Option<Rc<Names>> {
        if container.keeper == Keeper::Container {
            return None;
        }
        if let Ok(answer) = self.answers.try_recv() {
            self.take(answer, Instant::now());
        }
        let now = Instant::now();
        let known = self.known.get(&container.id);
        let is_due = known.is_none_or(|known| known.again <= now);
        if is_due && !self.is_asked && self.questions.try_send(container.clone()).is_ok() {
            self.is_asked = true;
            if now >= self.may_wait {
                self.wait(now);
            }
        }
        self.known.get(&container.id)?.names.clone()
    }

    fn wait(&mut self, begun: Instant) {
        let answer = self.answers.recv_timeout(MAX_WAIT);
        let now = Instant::now();
        self.may_wait = now + (now - begun) * PAUSE;
        if let Ok(answer) = answer {
            self.take(answer, now);
        }
    }

    fn take(&mut self, answer: Answer, now: Instant) {
        self.is_asked = false;
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let known = self.known.entry(answer.id).or_insert(Known {
            names: None,
            since: now,
            again: now,
        });
        let is_complete = answer.names.as_ref().is_some_and(Names::are_complete);
        known.again = now
            + match is_complete {
                true => RENEWAL,
                false => (now - known.since).clamp(FIRST_RETRY, RENEWAL),
            };
        known.names = answer.names.map(Rc::new);
    }
}

#[cfg(test)]
mod tests;
