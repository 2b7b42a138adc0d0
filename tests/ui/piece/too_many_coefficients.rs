use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a, b, c, d, e, f, g, h, i, j, l, m, n, o, p, q, r| x + a + b + c + d + e + f + g + h + i + j + l + m + n + o + p + q + r)]
struct Foo;

fn main() {}
