use dyrelu::dynamic_activation;

#[dynamic_activation(K = 2, share = "spatial")]
struct Foo;

fn main() {}
