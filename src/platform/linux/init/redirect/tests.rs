//! The station's address in a capsule, called by browsers, by the slow and by the hostile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::*;

struct Ground {
    redirect: Redirect,
    address: SocketAddr,
    told: Receiver<Secret>,
}

impl Ground {
    fn stand() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = channel();
        let redirect = Redirect::on(listener, move |path| tell.send(path).unwrap()).unwrap();
        Self { redirect, address, told }
    }

    fn ask(&self, request: &str) -> String {
        let mut visitor = TcpStream::connect(self.address).unwrap();
        visitor.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = visitor.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {REDIRECT}\r\n\r\n"))
    }

    fn offer(&self, nonce: &str, address: &str, start: Option<&str>) {
        let (nonce, start) = (nonce.to_owned(), start.map(str::to_owned));
        self.redirect.offer(Offer { nonce, address: Secret::new(address), start });
    }

    fn heard(&self) -> Vec<String> {
        self.told.try_iter().map(|path| path.expose().to_owned()).collect()
    }
}

#[test]
fn a_page_is_handed_out_once() {
    let ground = Ground::stand();
    ground.offer("one", "https://id.example/end?id_token_hint=secret", None);
    ground.offer("two", "https://id.example/else", None);
    assert!(ground.get("/go/three").starts_with("HTTP/1.1 410 "));
    let answer = ground.get("/go/one");
    assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
    assert!(answer.contains("\r\nLocation: https://id.example/end?id_token_hint=secret\r\n"), "{answer}");
    assert!(ground.get("/go/one").starts_with("HTTP/1.1 410 "));
    assert!(ground.get("/go/two").contains("id.example/else"));
    // An address that would break out of its line is not handed out at all.
    ground.offer("four", "https://id.example/\r\nSet-Cookie: x=y", None);
    assert!(ground.get("/go/four").starts_with("HTTP/1.1 410 "));
    assert!(ground.heard().is_empty(), "handing out is no return");
}

#[test]
fn what_comes_back_is_told_and_answered() {
    let ground = Ground::stand();
    assert!(ground.get("/signed-in?code=1&state=2").contains("You are signed in."));
    ground.offer("one", "https://id.example/", Some("https://chart.example/"));
    assert!(ground.get("/signed-in?code=3&state=4").contains("\r\nLocation: https://chart.example/\r\n"));
    assert!(ground.get("/signed-in?error=access_denied&state=5").contains("You were not signed in."));
    assert!(ground.get("/signed-out?state=6").contains("You are signed out."));
    let told = ground.heard();
    let expected = [
        "/signed-in?code=1&state=2",
        "/signed-in?code=3&state=4",
        "/signed-in?error=access_denied&state=5",
        "/signed-out?state=6",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_is_no_return_is_told_to_nobody() {
    let ground = Ground::stand();
    let long = format!("/signed-in?code={}", "x".repeat(9000));
    for path in ["/", "/favicon.ico", "/signed-in/../x", "/signed-ins", "/go/", long.as_str()] {
        assert!(!ground.get(path).starts_with("HTTP/1.1 200 "), "{path}");
    }
    assert!(ground.ask("POST /signed-in?code=1 HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(ground.ask("no request at all\r\n\r\n").starts_with("HTTP/1.1 400 "));
    // A picture in somebody's page is no browser that comes back.
    let picture = "GET /signed-in?code=1 HTTP/1.1\r\nSec-Fetch-Dest: image\r\n\r\n";
    assert!(ground.ask(picture).starts_with("HTTP/1.1 403 "));
    let endless = format!("GET /signed-in?code=1 HTTP/1.1\r\nA: {}", "x".repeat(LONGEST));
    assert!(ground.ask(&endless).starts_with("HTTP/1.1 431 "));
    assert!(ground.heard().is_empty());
    assert!(ground.get("/signed-in").starts_with("HTTP/1.1 200 "));
    assert_eq!(ground.heard(), ["/signed-in"]);
}

#[test]
fn the_slow_and_the_many_stall_nobody() {
    let ground = Ground::stand();
    let mut idle: Vec<_> = (0..VISITORS * 2).map(|_| TcpStream::connect(ground.address).unwrap()).collect();
    idle.iter_mut().for_each(|visitor| drop(visitor.write(b"GET /signed-in?co")));
    assert!(ground.get("/signed-in?code=1").starts_with("HTTP/1.1 200 "));
    assert_eq!(ground.heard(), ["/signed-in?code=1"]);
    let answers: Vec<_> = (0..RETURNS * 2).map(|_| ground.get("/signed-in?code=2")).collect();
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 429 ")));
    assert!(ground.heard().len() < RETURNS * 2);
}
