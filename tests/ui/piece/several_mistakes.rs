use dyrelu::dynamic_activation;

#[dynamic_activation(k = 99, share = spatial, init(a = 1.0, c = one),
    piece = |x, a, b| y * a % tahn(x) + if b { 1.0 } else { max(b) })]
struct Foo;

fn main() {}
