//! Whatever is written, the macro answers: no panic, no endless work, no overflow of a small stack.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::{expand, messages_in};

/// Runs `test` on a stack of 2 MiB, as threads have it.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(test)
        .expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// One step of a formula that is computed from the last one.
const STEP: &str = "let t = if t > x { tanh(t) * t } else { t / (x + t) };";

fn expand_piece(body: &str) -> TokenStream {
    expand(
        &format!(r#"k = 2, share = "none", init(a = 1.0), piece = |x, a| {body}"#),
        "struct Foo;",
    )
}

#[test]
fn deep_nesting_overflows_no_stack() {
    on_a_small_stack(|| {
        let repeat = |open: &str, middle: &str, close: &str| {
            [30, 42, 62, 125, 250, 900, 1900]
                .map(|n| format!("{}{middle}{}", open.repeat(n), close.repeat(n)))
        };
        let pieces = [
            repeat("(", "a * x", ")"),
            repeat("tanh(", "a * x", ")"),
            repeat("-", "a * x", ""),
            repeat("-!*&", "a * x", ""),
            repeat("if x > a { a } else ", "{ x }", ""),
            repeat("if ", "x", ""),
            repeat("|y| ", "x", ""),
            repeat("return ", "x", ""),
            repeat("if (", "x", ")"),
            repeat("x + tanh(-", "a", ")"),
            repeat("if x > a { a } else { ", "x", "}"),
            repeat("a = ", "x", ""),
            repeat("x as ", "x", ""),
            repeat("x as &", "x", ""),
            repeat("x::<x", "x", ">"),
            repeat("Vec::<Vec", "x", ">"),
            repeat("x as fn() -> ", "x", ""),
            repeat("{ let t = a * x; ", "t", "}"),
            repeat("x + (", "a", ")"),
            repeat("", "a", " + x"),
            repeat("", "a", ".max(x)"),
            repeat("", "a", "?"),
            repeat("", "a", "()"),
            repeat("", "a", " * x - a"),
            repeat("x < a && ", "x", ""),
            repeat("let y @ ", "x", ""),
            repeat("..", "x", ""),
            repeat("match ", "x", ""),
            repeat("'a: loop ", "{}", ""),
        ];
        for piece in pieces.iter().flatten() {
            expand_piece(piece);
        }
    });
}

#[test]
fn long_formulas_stay_long_and_do_not_explode() {
    on_a_small_stack(|| {
        let doublings = "let t = t * t + t;".repeat(60);
        let nested = STEP.repeat(35);
        for steps in [doublings, nested] {
            let expansion = expand_piece(&format!("{{ let t = a * x; {steps} t }}"));
            assert_eq!(messages_in(expansion.clone()), [""; 0]);
            assert!(expansion.to_string().len() < 200_000);
        }
        let sum = expand_piece(&vec!["a * tanh(x + a)"; 200].join(" + "));
        assert_eq!(messages_in(sum), [""; 0]);
    });
}

#[test]
fn too_large_pieces_are_rejected() {
    let large = messages_in(expand_piece(&vec!["a"; 1001].join(" + ")));
    assert_eq!(large, ["a piece has at most 2000 tokens"]);
    let many = messages_in(expand_piece(&format!(
        "{{ let t = a * x; {} t }}",
        STEP.repeat(60)
    )));
    assert_eq!(
        many,
        [
            "this piece and its gradient take 1501 operations, more than 1000; shorten the formula or give it fewer \
             coefficients"
        ]
    );
    let deep = messages_in(expand_piece(&format!("{}a{}", "(".repeat(65), ")".repeat(65))));
    assert_eq!(
        deep,
        ["this piece is nested too deeply; give names to its parts with `let`"]
    );
}

/// Attributes to mutate: correct ones and ones with mistakes.
const SEEDS: [&str; 10] = [
    r#"k = 2, share = "spatial""#,
    r#"k = 3, share = "none", combine = "sum", crate = ::renamed::path, lambda(a = 2, b = [1.0, 0.5, -3.0])"#,
    r#"k = 1, share = "spatial+channel", piece = |x, a, t| { let s = tanh(x / t); if s > 0.0 && !(a < s) { a * s }
       else if x == t { -s.powi(3) } else { clamp(x, -1.0, 1.0) } }, init(a = 1.0, t = [0.5]), lambda(t = 0.1)"#,
    r#"piece = |x, a| exp(sin(a * x)) / (1.0 + x.abs().sqrt()) - relu(x - a).max(softplus(a)), init(a = 0), k = 64,
       share = "spatial","#,
    r#"k = 3, share = "spatial", piece = [|x, a, c| a * x * c, |y, b, s, c| max(b * y, c * s), |z| 6.0], combine = "min",
       init(a = [1.0], b = 0.0), fixed(c = 2.0), neighbours(s = shift(1, -2)), squash(a = "tanh", b = "none")"#,
    r#"k = 1, share = "none", piece = |x, p, q, beta| (p - q) * x * sigmoid(beta * (p - q) * x) + q * x,
       learned(p = 1.0, q = shared([0.0])), init(beta = 0.0), squash = "sigmoid", hyper(inner = "none", layers = 2,
       context = "pooled halves"), attention = "normalised""#,
    r#"k = 2, share = "spatial", learned(a = [1.0, 0.0]), fixed(b = -0.5)"#,
    r#"k = 2, share = "none", piece = [|x, a| a * x, , 3], fixed(a = [1], x = 2), learned(a = shared(1, 2)), squash(a = b),
       neighbours(s = shift(0, 0), t = shift(1)), hyper(layers = 3, inner = "tanh"), attention = "softmax""#,
    r#"reduction = 8, k = "two", share = spatial, init = 3, piece = |x, A, _, b: f32| x as f32 + y % b"#,
    r"k(2), share, init(a), piece = move |&x, a| -> f32 { return a; }, lambda(a = 1.0, a = 2.0, c = [1, 2])",
];

/// Tokens to insert.
const DICTIONARY: &str = "k share piece combine init lambda squash learned fixed neighbours hyper attention crate \
    shared shift context layers inner \"pooled\" \"sigmoid\" \"softmax\" \"normalised\" x a b c s t = == , ; : :: . .. ..= | || & && ! < > <= >= \
    + - * / % ^ += -> => # @ ? $ ~ 0 1 2 64 65 1.0 1e999 0x10 2u8 99999999999999999999999 \"spatial\" \"none\" 'c' 'a \
    b\"b\" tanh powi max clamp tan foo signum self Self super _ let if else match return loop as fn move ref mut \
    unsafe async const static struct impl dyn for in while where r#type α vec true";

/// The same numbers in each run.
struct Random(TestRng);

impl Random {
    /// A number from 0 up to but not including `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0.random_range(0..limit)
    }
}

/// One random change to a random place in `tokens`.
fn mutate(tokens: TokenStream, dictionary: &[TokenTree], random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
    let (place, other) = (random.below(trees.len() + 1), random.below(trees.len() + 1));
    let word = dictionary[random.below(dictionary.len())].clone();
    if place == trees.len() {
        trees.push(word);
        return trees.into_iter().collect();
    }
    if let TokenTree::Group(group) = &trees[place]
        && random.below(4) != 0
    {
        let inner = mutate(group.stream(), dictionary, random);
        trees[place] = Group::new(group.delimiter(), inner).into();
        return trees.into_iter().collect();
    }
    match random.below(6) {
        0 => drop(trees.remove(place)),
        1 => trees.insert(place, trees[place].clone()),
        2 => trees.insert(place, word),
        3 => trees[place] = word,
        4 if other < trees.len() => trees.swap(place, other),
        _ => {
            let delimiters = [
                Delimiter::Parenthesis,
                Delimiter::Brace,
                Delimiter::Bracket,
                Delimiter::None,
            ];
            let end = other.clamp(place, trees.len());
            let inner: TokenStream = trees.drain(place..end).collect();
            trees.insert(place, Group::new(delimiters[random.below(4)], inner).into());
        }
    }
    trees.into_iter().collect()
}

#[test]
fn random_attributes_never_panic() {
    on_a_small_stack(|| {
        let parse = |text: &str| text.parse::<TokenStream>().unwrap_or_default();
        let dictionary: Vec<TokenTree> = parse(DICTIONARY).into_iter().collect();
        let seeds = SEEDS.map(parse);
        let mut random = Random(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let mut accepted = 0;
        for round in 0..100_000 {
            let mut tokens = seeds[round % seeds.len()].clone();
            for _ in 0..=random.below(4) {
                tokens = mutate(tokens, &dictionary, &mut random);
            }
            let expansion = crate::expand::expand(tokens, &parse("struct Foo;"));
            accepted += usize::from(messages_in(expansion).is_empty());
        }
        // Some mutants are right, so that the stages after the first mistake are reached too.
        assert!(accepted > 500, "{accepted}");
    });
}
