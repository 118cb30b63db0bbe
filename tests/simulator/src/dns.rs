//! A name server for the simulated hosts: A and AAAA records only.

use std::io;
use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use crate::hosts;
use crate::world::World;

const TTL: u32 = 60;

pub(crate) async fn serve(socket: UdpSocket, world: &World) -> io::Result<()> {
    let mut packet = [0; 1500];
    loop {
        let (length, peer) = socket.recv_from(&mut packet).await?;
        let query = packet.get(..length).and_then(|packet| Message::from_vec(packet).ok());
        if let Some(response) = query.and_then(|query| response(&query, peer.ip(), world)) {
            socket.send_to(&response, peer).await?;
        }
    }
}

fn response(query: &Message, peer: IpAddr, world: &World) -> Option<Vec<u8>> {
    let question = query.queries.first()?;
    let name = question.name().to_ascii();
    let host = name.trim_end_matches('.').to_ascii_lowercase();
    world.lock().dns_queries.push((host.clone(), peer));
    let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    response.metadata.recursion_desired = query.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    response.add_query(question.clone());
    match hosts::named(&host) {
        None => response.metadata.response_code = ResponseCode::NXDomain,
        Some(host) => {
            let data = world.addresses_of(host).into_iter().filter_map(|ip| match (question.query_type(), ip) {
                (RecordType::A, IpAddr::V4(ip)) => Some(RData::A(A(ip))),
                (RecordType::AAAA, IpAddr::V6(ip)) => Some(RData::AAAA(AAAA(ip))),
                _ => None,
            });
            response.add_answers(data.map(|data| Record::from_rdata(question.name().clone(), TTL, data)));
        }
    }
    if response.answers.is_empty() {
        // How long the negative response may be cached (RFC 2308).
        let soa = SOA::new(Name::root(), Name::root(), 1, 1, 1, 1, TTL);
        response.add_authority(Record::from_rdata(Name::root(), TTL, RData::SOA(soa)));
    }
    response.to_vec().ok()
}
