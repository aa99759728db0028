//! What the server keeps of a password, made on this side: the password itself never crosses the wire, so no log of the
//! server can hold it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::AdminError;

/// What PostgreSQL itself takes.
const ITERATIONS: u32 = 4096;

type Key = [u8; 32];

/// Makes the verifier of a password with a salt of its own, as PostgreSQL stores it: `SCRAM-SHA-256$iterations:salt$..`.
pub(crate) fn verifier(password: &str) -> Result<String, AdminError> {
    let mut salt = [0; 16];
    crate::password::random(&mut salt)?;
    let prepared = crate::password::prepare(password)?;
    Ok(salted(prepared.as_bytes(), &salt))
}

/// RFC 5802, section 3.
fn salted(password: &[u8], salt: &[u8]) -> String {
    let salted = hi(password, salt);
    let stored = Sha256::digest(hmac(&salted, &[b"Client Key"]));
    let server = hmac(&salted, &[b"Server Key"]);
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(stored),
        BASE64.encode(server)
    )
}

/// `Hi` of RFC 5802: PBKDF2 with HMAC-SHA-256, of which one block is needed.
fn hi(password: &[u8], salt: &[u8]) -> Key {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..ITERATIONS {
        last = hmac(password, &[&last]);
        all.iter_mut().zip(last).for_each(|(all, last)| *all ^= last);
    }
    all
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    // Any length will do as a key.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_the_one_of_the_rfc() {
        // Password and salt of RFC 7677, section 3; the keys follow from its client proof and server signature.
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let auth = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let verifier = salted(b"pencil", &salt);
        let keys = verifier.rsplit('$').next().unwrap();
        let (stored, server) = keys.split_once(':').unwrap();
        let server = BASE64.decode(server).unwrap();
        let signature = BASE64.encode(hmac(&server, &[auth.as_bytes()]));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let stored = BASE64.decode(stored).unwrap();
        let proof = BASE64.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let signed = hmac(&stored, &[auth.as_bytes()]);
        let client: Vec<u8> =
            proof.iter().zip(signed).map(|(proof, signed)| proof ^ signed).collect();
        assert_eq!(Sha256::digest(client).as_slice(), stored);
    }

    #[test]
    fn every_verifier_has_a_salt_of_its_own() {
        assert_ne!(verifier("pencil").unwrap(), verifier("pencil").unwrap());
    }
}
