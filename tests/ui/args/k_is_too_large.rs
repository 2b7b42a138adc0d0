use dyrelu::dynamic_activation;

#[dynamic_activation(k = 99, share = "spatial")]
struct Foo;

fn main() {}
