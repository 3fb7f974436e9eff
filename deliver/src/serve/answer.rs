//! The answer to a request.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Response;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderValue;

use super::page::Entry;
use super::page::Pages;
use super::page::Reply;
use super::page::Request;

/// A page may not load anything: styles and images are in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The page of the path, or why there is none.
pub(super) async fn answer<B>(pages: &Pages, request: &hyper::Request<B>) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let reply = Reply::text("the methods are GET and HEAD");
        let mut response = response(StatusCode::METHOD_NOT_ALLOWED, reply);
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    let Some(entry) = pages.get(request.uri().path()) else {
        let paths: Vec<_> = pages.paths().collect();
        let paths = paths.join(", ");
        let reply = Reply::text(format_args!("not found; the paths are {paths}"));
        return response(StatusCode::NOT_FOUND, reply);
    };
    let asked = Request {
        accept: accepted(request.headers()),
    };
    match called(entry, asked).await {
        Some(reply) if reply.is_available => response(StatusCode::OK, reply),
        Some(reply) => response(StatusCode::SERVICE_UNAVAILABLE, reply),
        None => {
            let reply = Reply::text("the page could not be made");
            response(StatusCode::INTERNAL_SERVER_ERROR, reply)
        }
    }
}

/// What the page replies. `None` if it panicked in its thread.
async fn called(entry: &Entry, request: Request) -> Option<Reply> {
    let Some(turn) = &entry.turn else {
        return Some((entry.page)(&request));
    };
    let turn = Arc::clone(turn).acquire_owned().await.ok()?;
    let page = Arc::clone(&entry.page);
    let call = tokio::task::spawn_blocking(move || {
        let reply = page(&request);
        // Also for a client that has gone meanwhile.
        drop(turn);
        reply
    });
    call.await.ok()
}

/// The values of `Accept`, as one.
fn accepted(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::ACCEPT).iter();
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(", ")
}

fn response(status: StatusCode, reply: Reply) -> Response<Full<Bytes>> {
    let length = HeaderValue::from(reply.body.len());
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = status;
    let fixed = [
        (header::CONTENT_TYPE, reply.content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // An answer to HEAD has the length of the body that it leaves out.
    headers.insert(header::CONTENT_LENGTH, length);
    response
}
