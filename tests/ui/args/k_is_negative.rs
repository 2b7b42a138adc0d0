use dyrelu::dynamic_activation;

#[dynamic_activation(k = -1, share = "spatial")]
struct Foo;

fn main() {}
