use dyrelu::dynamic_activation;

#[dynamic_activation(share = "spatial")]
struct Foo;

fn main() {}
