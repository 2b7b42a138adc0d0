use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "none", tau = 10.0, average_attention = 0.5, cut_off = 2.0)]
struct Foo;

fn main() {}
