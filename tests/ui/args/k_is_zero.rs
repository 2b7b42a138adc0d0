use dyrelu::dynamic_activation;

#[dynamic_activation(k = 0, share = "spatial")]
struct Foo;

fn main() {}
