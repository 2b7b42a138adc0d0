use dyrelu::dynamic_activation;

#[dynamic_activation(k, share = "spatial")]
struct Foo;

fn main() {}
