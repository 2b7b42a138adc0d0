use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "none", attention = "normalized")]
struct Foo;

fn main() {}
