use dyrelu::dynamic_activation;

#[dynamic_activation(k = "two", share = "spatial")]
struct Foo;

fn main() {}
