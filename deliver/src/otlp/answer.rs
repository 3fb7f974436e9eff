//! What the answer of a receiver of OTLP means: it may have accepted a part, and it says what it wants to be asked
//! again.

use std::time::Duration;

use hyper::StatusCode;
use prost::Message as _;

use super::proto::Response;
use super::proto::Status;
use crate::http::client::Answer;
use crate::retry::Outcome;
use crate::text;

/// The status codes after which a request may be made again. The specification allows no others.
const AGAIN: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// What became of a request.
pub(super) fn judge(answer: &Answer) -> Outcome {
    if answer.status.is_success() {
        return accepted(&answer.body);
    }
    let outcome = Outcome::of_answer(answer.status, answer.retry_after, &message(&answer.body));
    match outcome {
        Outcome::Later { why, .. } if !AGAIN.contains(&answer.status) => Outcome::Refused(why),
        // Any of the four may say when.
        Outcome::Later { why, .. } => Outcome::Later {
            why,
            retry_after: answer.retry_after.filter(|asked| *asked > Duration::ZERO),
        },
        outcome => outcome,
    }
}

fn accepted(body: &[u8]) -> Outcome {
    let partial = Response::decode(body)
        .ok()
        .and_then(|response| response.partial_success);
    let Some(partial) = partial else {
        return Outcome::Delivered;
    };
    match u64::try_from(partial.rejected) {
        Ok(refused) if refused > 0 => Outcome::Partly {
            refused,
            why: format!(
                "it refused a part: {}",
                text::quoted(&partial.error_message)
            ),
        },
        _ => Outcome::Delivered,
    }
}

/// The message of a status, or the text itself.
fn message(body: &[u8]) -> String {
    match Status::decode(body) {
        Ok(status) if !status.message.is_empty() => text::quoted(&status.message),
        _ => text::quoted(&String::from_utf8_lossy(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::proto::PartialSuccess;

    fn answer(status: u16, body: Vec<u8>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after: Some(Duration::from_secs(3)),
            body,
        }
    }

    fn partial(rejected: i64, message: &str) -> Vec<u8> {
        let partial_success = Some(PartialSuccess {
            rejected,
            error_message: message.to_owned(),
        });
        Response { partial_success }.encode_to_vec()
    }

    #[test]
    fn a_part_that_is_refused_is_told() {
        assert_eq!(judge(&answer(200, Vec::new())), Outcome::Delivered);
        assert_eq!(
            judge(&answer(200, partial(0, "a hint"))),
            Outcome::Delivered
        );
        assert_eq!(judge(&answer(200, partial(-1, ""))), Outcome::Delivered);
        let expected = Outcome::Partly {
            refused: 3,
            why: "it refused a part: too old".to_owned(),
        };
        assert_eq!(judge(&answer(200, partial(3, "too old"))), expected);
    }

    #[test]
    fn only_four_status_codes_are_tried_again() {
        for status in [429, 502, 503, 504] {
            let Outcome::Later { retry_after, .. } = judge(&answer(status, Vec::new())) else {
                panic!("{status}");
            };
            assert_eq!(retry_after, Some(Duration::from_secs(3)));
        }
        for status in [301, 400, 401, 403, 404, 408, 413, 500, 501] {
            let outcome = judge(&answer(status, Vec::new()));
            assert!(
                matches!(outcome, Outcome::Refused(_)),
                "{status}: {outcome:?}"
            );
        }
    }

    #[test]
    fn the_message_of_a_status_is_shown() {
        let status = Status {
            message: "no such tenant".to_owned(),
        };
        let expected = Outcome::Refused("it answered 400 Bad Request: no such tenant".to_owned());
        assert_eq!(judge(&answer(400, status.encode_to_vec())), expected);
        let expected = Outcome::Refused("it answered 400 Bad Request: no".to_owned());
        assert_eq!(judge(&answer(400, b"no".to_vec())), expected);
    }
}
