//! The yardstick: what actix itself costs for a request and an answer of these sizes.

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};

use crate::Failure;

/// Serves `POST /v1` on a free port: reads the body, answers with `answer` bytes of JSON.
pub(crate) async fn serve(answer: usize) -> Result<(), Failure> {
    let text = Bytes::from(vec![b'x'; answer]);
    let server = HttpServer::new(move || {
        let text = text.clone();
        App::new().route(
            "/v1",
            web::post().to(move |_: Bytes| {
                let text = text.clone();
                async { HttpResponse::Ok().content_type("application/json").body(text) }
            }),
        )
    })
    .bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        eprintln!("serving on {address}");
    }
    Ok(server.run().await?)
}
