use dyrelu::dynamic_activation;

#[dynamic_activation("k = 2", share = "none")]
struct Foo;

fn main() {}
