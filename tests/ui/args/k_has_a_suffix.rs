use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2usize, share = "spatial")]
struct Foo;

fn main() {}
