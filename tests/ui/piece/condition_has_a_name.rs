use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a| { let t = x > 0.0; if t && a > 0.0 { a } else { x } }, init(a = 1.0))]
struct Foo;

fn main() {}
