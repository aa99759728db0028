//! A stable hash of what a task is: its code and its options, without how they are laid out.
//!
//! White space and comments, doc comments included, are no part of it, nor are the commas and semicolons that formatters add
//! and remove. Two texts with the same fingerprint are the same program; the reverse is not promised: `macro@task` lists for users
//! what of a formatter's work changes it. What stands in the brackets of a macro is hashed as it is written, since a macro can tell.

#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use sha2::{Digest, Sha256};

/// Hashed first, so that a later change of the rules below changes every fingerprint, and on purpose.
const SCHEME: &str = "cloacina task 2";

/// Bytes of the SHA-256 that are kept.
const KEPT: usize = 16;

/// Words after which parentheses hold a value, never the arguments of a call, and `!` negates.
const KEYWORDS: &[&str] = &[
    "as", "await", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match",
    "move", "mut", "ref", "return", "static", "unsafe", "where", "while", "yield",
];

/// Words that leave a block: what they begin is of no type, with a semicolon or without.
const LEAVING: &[&str] = &["break", "continue", "return"];

/// Returns the fingerprint of a task in hexadecimal: `options` are the attribute's tokens, `function` its signature
/// and body.
pub(crate) fn fingerprint(options: &TokenStream, function: &TokenStream) -> String {
    let mut hasher = Hasher(Sha256::new());
    hasher.write(b'v', SCHEME);
    hasher.code(options, true);
    hasher.write(b'/', "");
    hasher.code(function, true);
    hasher.0.finalize().iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect()
}

struct Hasher(Sha256);

impl Hasher {
    /// Adds one token; its length goes first, so that no two sequences of tokens read the same.
    fn write(&mut self, kind: u8, text: &str) {
        self.0.update([kind]);
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    /// Adds tokens that rustc reads, to the last or to the comma behind it.
    fn code(&mut self, tokens: &TokenStream, drops_last_comma: bool) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let is_comma = tokens.last().is_some_and(|token| is_punct(token, ','));
        let end = tokens.len() - usize::from(is_comma && drops_last_comma);
        self.slice(&tokens, end);
    }

    fn slice(&mut self, tokens: &[TokenTree], end: usize) {
        let mut at = 0;
        while at < end {
            at += match doc_attribute(&tokens[at..end]) {
                0 if is_layout(tokens, at) => 1,
                0 => self.token(tokens, at),
                skipped => skipped,
            };
        }
    }

    /// Adds the token at an index, and returns how many tokens that took.
    fn token(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        match &tokens[at] {
            TokenTree::Punct(punct) => {
                let sign = punct.as_char();
                // Of all operators of two signs, only these mean something else when written apart.
                if matches!(sign, '&' | '|' | '<')
                    && is_glued(tokens, at)
                    && is_punct(&tokens[at + 1], sign)
                {
                    self.write(b'p', &format!("{sign}{sign}"));
                    return 2;
                }
                self.write(b'p', &sign.to_string());
            }
            TokenTree::Group(group) => self.group(group, &tokens[..at]),
            word => self.word(word),
        }
        1
    }

    fn word(&mut self, token: &TokenTree) {
        let kind = if matches!(token, TokenTree::Literal(_)) { b'l' } else { b'i' };
        self.write(kind, &token.to_string());
    }

    fn group(&mut self, group: &Group, before: &[TokenTree]) {
        let Some((open, close)) = delimiters(group) else {
            // What a macro put around a fragment: it is not in the source.
            return self.code(&group.stream(), false);
        };
        self.write(b'd', open);
        match group.delimiter() {
            _ if belongs_to_macro(before) => self.verbatim(&group.stream()),
            Delimiter::Parenthesis => {
                let drops = is_call(before) || is_tuple_of_many(group);
                self.code(&group.stream(), drops);
            }
            Delimiter::Brace => self.block(group),
            _ => self.code(&group.stream(), true),
        }
        self.write(b'd', close);
    }

    fn block(&mut self, group: &Group) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let is_last = |sign| tokens.last().is_some_and(|token| is_punct(token, sign));
        let drops = is_last(',') || is_last(';') && is_left_at_its_end(&tokens);
        self.slice(&tokens, tokens.len() - usize::from(drops));
    }

    /// Adds the tokens that a macro gets.
    fn verbatim(&mut self, tokens: &TokenStream) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Punct(punct) => {
                    let kind = if is_glued(&tokens, at) { b'j' } else { b'p' };
                    self.write(kind, &punct.as_char().to_string());
                }
                TokenTree::Group(group) => {
                    let (open, close) = delimiters(group).unwrap_or_default();
                    self.write(b'd', open);
                    self.verbatim(&group.stream());
                    self.write(b'd', close);
                }
                word => self.word(word),
            }
        }
    }
}

/// Returns how a group is written, unless it is not in the source.
fn delimiters(group: &Group) -> Option<(&'static str, &'static str)> {
    match group.delimiter() {
        Delimiter::Parenthesis => Some(("(", ")")),
        Delimiter::Brace => Some(("{", "}")),
        Delimiter::Bracket => Some(("[", "]")),
        Delimiter::None => None,
    }
}

/// Tells whether a sign stands directly before another one.
fn is_glued(tokens: &[TokenTree], at: usize) -> bool {
    matches!(&tokens[at], TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint)
        && matches!(tokens.get(at + 1), Some(TokenTree::Punct(_)))
}

/// Tells whether a comma may be left out where it stands: behind the braces of an arm of a `match`, and before the `>` that closes
/// generic arguments.
fn is_layout(tokens: &[TokenTree], at: usize) -> bool {
    if !is_punct(&tokens[at], ',') {
        return false;
    }
    let behind_arm = match &tokens[..at] {
        [.., equals, greater, TokenTree::Group(group)] => {
            is_punct(equals, '=') && is_punct(greater, '>') && group.delimiter() == Delimiter::Brace
        }
        _ => false,
    };
    behind_arm || tokens.get(at + 1).is_some_and(|next| is_punct(next, '>'))
}

/// Tells whether what comes next in brackets is for a macro or an attribute.
fn belongs_to_macro(before: &[TokenTree]) -> bool {
    match before {
        [.., hash] if is_punct(hash, '#') => true,
        [.., hash, bang] if is_punct(hash, '#') && is_punct(bang, '!') => true,
        // To formatters, and so here, `vec!` is the array that it is.
        [.., TokenTree::Ident(name), bang] if is_punct(bang, '!') => {
            name != "vec" && !is_one_of(name, KEYWORDS)
        }
        [.., TokenTree::Ident(name), bang, TokenTree::Ident(_)] if is_punct(bang, '!') => {
            name == "macro_rules"
        }
        _ => false,
    }
}

/// Tells whether the parentheses that come next hold arguments: they follow a name, or a name with generic arguments.
fn is_call(before: &[TokenTree]) -> bool {
    match before {
        [.., TokenTree::Ident(name)] => !is_one_of(name, KEYWORDS),
        [.., greater] if is_punct(greater, '>') => match before_generics(before) {
            // `name::<T>(..)` and `fn name<T>(..)`; after any other `>` may come a tuple.
            [.., first, second] if is_punct(first, ':') && is_punct(second, ':') => true,
            [.., TokenTree::Ident(word), TokenTree::Ident(_)] => word == "fn",
            _ => false,
        },
        _ => false,
    }
}

/// Returns what stands before the `<` that belongs to the `>` at the end, nothing if there is none.
fn before_generics(tokens: &[TokenTree]) -> &[TokenTree] {
    let mut open = 0;
    for at in (0..tokens.len()).rev() {
        let is_arrow = at > 0 && (is_punct(&tokens[at - 1], '-') || is_punct(&tokens[at - 1], '='));
        if is_punct(&tokens[at], '>') && !is_arrow {
            open += 1;
        } else if is_punct(&tokens[at], '<') {
            open -= 1;
        }
        // An arrow at the end belongs to no `<`.
        if open == 0 {
            return if is_punct(&tokens[at], '<') { &tokens[..at] } else { &[] };
        }
    }
    &[]
}

/// Tells whether a comma more or less in parentheses makes no difference: there is another, which is none between generic
/// arguments or between the parameters of a closure.
fn is_tuple_of_many(group: &Group) -> bool {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let inside = tokens.split_last().map_or(&[][..], |(_, inside)| inside);
    let has = |sign| inside.iter().any(|token| is_punct(token, sign));
    has(',') && !has('<') && !has('|')
}

/// Tells whether a block ends with a statement that leaves it; its last token is the semicolon.
fn is_left_at_its_end(tokens: &[TokenTree]) -> bool {
    let statements = tokens.split_last().map_or(&[][..], |(_, before)| before);
    for (at, token) in statements.iter().enumerate().rev() {
        let begins = match at.checked_sub(1).map(|before| &statements[before]) {
            None => true,
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
            Some(token) => is_punct(token, ';'),
        };
        match token {
            TokenTree::Ident(word) if begins && is_one_of(word, LEAVING) => return true,
            token if is_punct(token, ';') => return false,
            _ => {}
        }
    }
    false
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

fn is_one_of(word: &Ident, words: &[&str]) -> bool {
    words.iter().any(|known| word == known)
}
