//! Expansions name everything by absolute paths, so that no name of the user can be captured.

use proc_macro2::{TokenStream, TokenTree};

use super::expand;

/// Capitalised names that are not looked up in the user's scope, or are the user's own.
const LOCAL: [&str; 5] = ["Self", "E", "T", "Foo", "_"];

/// Names of items of the traits, declared by the expansion.
const DECLARED: [&str; 9] = [
    "NAME",
    "SHARING",
    "COMBINE",
    "COEFFICIENTS",
    "NEIGHBOURS",
    "HYPER",
    "ATTENTION",
    "HOMOGENEOUS",
    "Pieces",
];

/// Panics at a capitalised name that is neither local, nor declared, nor behind `::`.
fn check(tokens: TokenStream) {
    let mut behind_colons = false;
    for tree in tokens {
        match tree {
            TokenTree::Ident(name) => {
                let text = name.to_string();
                let capitalised = text.starts_with(char::is_uppercase);
                let known = LOCAL.contains(&text.as_str()) || DECLARED.contains(&text.as_str());
                assert!(
                    !capitalised || known || behind_colons,
                    "`{text}` depends on the user's scope"
                );
                behind_colons = false;
            }
            TokenTree::Punct(punct) => behind_colons = punct.as_char() == ':',
            TokenTree::Group(group) => {
                check(group.stream());
                behind_colons = false;
            }
            TokenTree::Literal(_) => behind_colons = false,
        }
    }
}

#[test]
fn every_path_is_absolute() {
    let custom = r#"k = 3, share = "none", combine = "sum", init(a = [1.0, 2.0, 3.0]), crate = ::renamed::inner,
        piece = |x, a| if x > a { tanh(a * x) } else { max(x, a) }"#;
    let all = r#"k = 2, share = "none", piece = [|x, a, s| a * x + s, |x, p| p * x], init(a = 1.0), squash = "tanh",
        learned(p = shared(1.0)), neighbours(s = shift(1, -1)), hyper(context = "external", layers = 1),
        attention = "normalised""#;
    for arguments in [r#"k = 2, share = "spatial""#, custom, all, "k = 0"] {
        let expansion = expand(arguments, "struct Foo;");
        let roots = [":: dyrelu ::", ":: renamed :: inner ::"]
            .map(|root| expansion.to_string().matches(root).count());
        assert!(roots.iter().any(|&uses| uses > 10), "{expansion}");
        check(expansion);
    }
}
