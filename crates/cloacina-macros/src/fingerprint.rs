//! A stable hash of what a task is: its code and its options, without how they are laid out.
//!
//! White space and comments, doc comments included, are no part of it, nor is a trailing comma, which formatters add
//! where they break lines. Two texts with the same fingerprint are the same program; the reverse is not promised:
//! a formatter that adds braces or parentheses changes it.

#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use sha2::{Digest, Sha256};

/// Hashed first, so that a later change of the rules below changes every fingerprint, and on purpose.
const SCHEME: &str = "cloacina task 1";

/// Bytes of the SHA-256 that are kept.
const KEPT: usize = 16;

/// Words after which parentheses hold a value, never the arguments of a call.
const KEYWORDS: &[&str] = &[
    "as", "await", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match",
    "move", "mut", "ref", "return", "static", "unsafe", "where", "while", "yield",
];

/// Returns the fingerprint of a task in hexadecimal: `options` are the attribute's tokens, `function` its signature
/// and body.
pub(crate) fn fingerprint(options: &TokenStream, function: &TokenStream) -> String {
    let mut hasher = Hasher(Sha256::new());
    hasher.write(b'v', SCHEME);
    hasher.stream(options, Last::Dropped);
    hasher.write(b'/', "");
    hasher.stream(function, Last::Dropped);
    hasher.0.finalize().iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect()
}

/// What becomes of a comma before the closing delimiter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It is layout.
    Dropped,
    /// It makes a tuple of what is else a value in parentheses.
    Kept,
}

struct Hasher(Sha256);

impl Hasher {
    /// Adds one token; its length goes first, so that no two sequences of tokens read the same.
    fn write(&mut self, kind: u8, text: &str) {
        self.0.update([kind]);
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn stream(&mut self, tokens: &TokenStream, last: Last) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let end = match tokens.last() {
            Some(token) if last == Last::Dropped && is_punct(token, ',') => tokens.len() - 1,
            _ => tokens.len(),
        };
        let mut at = 0;
        while at < end {
            at += match doc_attribute(&tokens[at..end]) {
                0 => self.token(&tokens, at),
                skipped => skipped,
            };
        }
    }

    /// Adds the token at an index, and returns how many tokens that took.
    fn token(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        match &tokens[at] {
            TokenTree::Ident(ident) => self.write(b'i', &ident.to_string()),
            TokenTree::Literal(literal) => self.write(b'l', &literal.to_string()),
            TokenTree::Punct(punct) => {
                let sign = punct.as_char();
                let glued = punct.spacing() == Spacing::Joint
                    && matches!(sign, '&' | '|' | '<')
                    && tokens.get(at + 1).is_some_and(|next| is_punct(next, sign));
                // Of all operators of two signs, only these mean something else when written apart.
                if glued {
                    self.write(b'p', &format!("{sign}{sign}"));
                    return 2;
                }
                self.write(b'p', &sign.to_string());
            }
            TokenTree::Group(group) => {
                self.group(group, at.checked_sub(1).map(|before| &tokens[before]));
            }
        }
        1
    }

    fn group(&mut self, group: &Group, before: Option<&TokenTree>) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            // What a macro put around a fragment: it is not in the source.
            Delimiter::None => return self.stream(&group.stream(), Last::Kept),
        };
        self.write(b'd', open);
        self.stream(&group.stream(), last_comma(group, before));
        self.write(b'd', close);
    }
}

/// Tells whether a group's trailing comma is layout: always, but for a tuple of one.
fn last_comma(group: &Group, before: Option<&TokenTree>) -> Last {
    let commas = group.stream().into_iter().filter(|token| is_punct(token, ',')).count();
    let is_call = match before {
        Some(TokenTree::Ident(ident)) => !KEYWORDS.contains(&ident.to_string().as_str()),
        Some(TokenTree::Punct(punct)) => matches!(punct.as_char(), '!' | '>'),
        _ => false,
    };
    match group.delimiter() {
        Delimiter::Parenthesis if commas == 1 && !is_call => Last::Kept,
        _ => Last::Dropped,
    }
}

/// Returns the number of tokens of the doc attribute that begins here, 0 if none does.
fn doc_attribute(tokens: &[TokenTree]) -> usize {
    let is_doc = |token: Option<&TokenTree>| match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "doc")
        }
        _ => false,
    };
    match tokens {
        [hash, rest @ ..] if is_punct(hash, '#') => match rest {
            [bang, rest @ ..] if is_punct(bang, '!') && is_doc(rest.first()) => 3,
            rest if is_doc(rest.first()) => 2,
            _ => 0,
        },
        _ => 0,
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
