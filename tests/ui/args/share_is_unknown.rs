use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "batch")]
struct Foo;

fn main() {}
