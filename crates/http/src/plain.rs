//! Answers without a body.

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::StatusCode;

/// A status with an empty body: the plain 401, 404, 405, 413 and classic's 500.
#[must_use]
pub fn plain(status: StatusCode) -> HttpResponse {
    HttpResponse::new(status)
}

/// Closes the connection without an answer: the body fails before the head is flushed.
#[must_use]
pub fn close_unanswered() -> HttpResponse {
    let failing = futures_util::stream::once(async {
        Err::<actix_web::web::Bytes, _>(std::io::Error::other("closed unanswered"))
    });
    HttpResponse::new(StatusCode::UNAUTHORIZED).set_body(BoxBody::new(BodyStream::new(Box::pin(failing))))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use actix_web::{App, HttpServer, web};

    use super::*;

    #[actix_web::test]
    async fn closing_unanswered_sends_not_one_byte() {
        let server = HttpServer::new(|| App::new().default_service(web::to(async || close_unanswered())))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let [address] = server.addrs()[..] else { panic!("one address") };
        let server = server.run();
        let handle = server.handle();
        let running = tokio::spawn(server);
        let received = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
            let mut received = Vec::new();
            let _reset_or_closed = stream.read_to_end(&mut received);
            received
        });
        assert_eq!(String::from_utf8(received.await.unwrap()).unwrap(), "");
        handle.stop(false).await;
        running.await.unwrap().unwrap();
    }
}
