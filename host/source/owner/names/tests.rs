//! What the source is told, and how long it waits for that.

use super::*;

const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
const OTHER: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";

fn container(id: &str) -> Container {
    Container {
        id: id.to_owned(),
        pod: None,
        keeper: Keeper::Machine,
    }
}

fn engine(name: &str) -> Option<Names> {
    Some(Names::Engine(name.to_owned()))
}

fn pod(container: Option<&str>) -> Option<Names> {
    Some(Names::Pod {
        namespace: "shop".to_owned(),
        pod: "cart-0".to_owned(),
        container: container.map(str::to_owned),
    })
}

/// A finder, and the two ends of its thread.
fn finder() -> (NameFinder, Receiver<Container>, Sender<Answer>) {
    let (questions, asked) = bounded(1);
    let (answer, answers) = bounded(1);
    (NameFinder::new(questions, answers), asked, answer)
}

fn answer(id: &str, names: Option<Names>) -> Answer {
    Answer {
        id: id.to_owned(),
        names,
    }
}

#[test]
fn a_file_system_that_does_not_answer_holds_up_the_source_once() {
    let (mut finder, asked, answers) = finder();
    let begun = Instant::now();
    assert_eq!(finder.names(&container(ID)), None);
    assert!(finder.is_asked);
    let may_wait = finder.may_wait;
    assert!(may_wait >= begun + MAX_WAIT * PAUSE);
    for id in [ID, OTHER] {
        assert_eq!(finder.names(&container(id)), None);
    }
    assert_eq!(finder.may_wait, may_wait, "it has not waited again");
    assert_eq!(asked.len(), 1);
    // The answer comes late, and counts from then on.
    asked.recv().expect("a question");
    answers.send(answer(ID, engine("web"))).expect("room");
    let names = finder.names(&container(ID));
    assert_eq!(names.map(|names| (*names).clone()), engine("web"));
    assert!(!finder.is_asked);
}

#[test]
fn a_thread_that_has_ended_leaves_containers_without_names() {
    let (mut finder, asked, answers) = finder();
    drop((asked, answers));
    assert_eq!(finder.names(&container(ID)), None);
    assert!(!finder.is_asked);
}

#[test]
fn a_container_without_names_is_looked_up_again_less_and_less_often() {
    let (mut finder, ..) = finder();
    let begun = Instant::now();
    let mut again = |seconds: f64, names: Option<Names>| {
        let now = begun + Duration::from_secs_f64(seconds);
        finder.take(answer(ID, names), now);
        (finder.known[ID].again - now).as_secs_f64()
    };
    assert_eq!(again(0.0, None), 0.1);
    assert_eq!(again(0.125, None), 0.125);
    assert_eq!(again(2.0, pod(None)), 2.0);
    assert_eq!(again(1_000.0, None), 60.0);
    assert_eq!(again(1_001.0, pod(Some("c"))), 60.0);
    assert_eq!(again(1_002.0, engine("web")), 60.0);
}

#[test]
fn a_bounded_number_of_containers_is_remembered() {
    let (mut finder, ..) = finder();
    for number in 0..MAX_KNOWN + 10 {
        finder.take(answer(&number.to_string(), None), Instant::now());
    }
    assert_eq!(finder.known.len(), 10);
}

#[test]
fn a_container_in_a_container_is_not_asked_for() {
    let (mut finder, asked, _answers) = finder();
    let nested = Container {
        keeper: Keeper::Container,
        ..container(ID)
    };
    assert_eq!(finder.names(&nested), None);
    assert_eq!(asked.len(), 0);
}
