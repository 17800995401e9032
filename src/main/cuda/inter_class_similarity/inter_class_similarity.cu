// cuda/inter_class_similarity/inter_class_similarity.cu: the inter-class similarity loss without
// any K x N array. Truth: reference/inter_class_similarity.cpp.
//
// A call makes four launches, three for the value alone:
//   class_products_*            the K x K sums over pixels of both nets, per part of an image
//   divergence_rows_kernel      parts merged in order; M, the loss and its derivative G, by rows
//   divergence_columns_kernel   the loss of all rows; sums over the columns of G
//   class_grad_*                the gradient of the student's logits
// Each .cuh says what it reads and writes. Together 16 bytes per f32 logit: both nets once, the
// student once more, its gradient. Which kernel takes the first and the last launch depends on the
// number of classes and on what the device's tensor cores can do (product_forms.cuh,
// grad_forms.cuh); work is cut by shape alone, and nothing is added in another order than that of
// indices.
#include "core/workspace.h"
#include "cuda/inter_class_similarity/grad_forms.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

// The first launch aims at two blocks on each of the 132 multiprocessors of an H100. Sums of parts
// take 8 (K + 3) K bytes each, so there should not be many more.
constexpr int64_t kProductBlocks = 256;

// The arrays of a call in its workspace.
template <class T>
struct InterClassSimilarityMemory {
  int64_t parts;
  MatrixTask<T> matrix;
  int64_t* valid_pixels;

  template <class Products, class Grad>
  InterClassSimilarityMemory(const InterClassSimilarityArgs& args,
                             const Products& products,
                             const Grad& grad,
                             Workspace& workspace)
      : matrix() {
    const int64_t B = args.student.B, K = args.student.C, N = args.student.H * args.student.W;
    const int64_t tiles = divide_up(N, products.pixels());
    // At least two tiles, so that starting a part does not count.
    parts = kProductBlocks / (2 * B * products.outputs());
    if (parts > tiles / 2) parts = tiles / 2;
    if (parts < 1) parts = 1;

    matrix.images = B;
    matrix.K = K;
    matrix.parts = parts;
    matrix.inverse_temperature = 1.0 / args.temperature;
    matrix.row_normalize = args.row_normalize;
    for (PartSums<T>* sums : {&matrix.student, &matrix.teacher}) {
      sums->products = workspace.take<double>(B * parts * K * K);
      sums->mass = workspace.take<double>(B * parts * K);
      sums->top = workspace.take<T>(B * parts * K);
      sums->shift = workspace.take<T>(B * parts * K);
    }
    valid_pixels = workspace.take<int64_t>(B * parts);
    matrix.valid_pixels = valid_pixels;
    matrix.student_rows = workspace.take<double>(B * K * K);
    matrix.teacher_rows = workspace.take<double>(B * K * K);
    matrix.G = workspace.take<double>(B * K * K);
    matrix.constants = workspace.take<double>(B * K);
    matrix.row_losses = workspace.take<double>(B * K);
    if (!args.want_grad) return;
    GradFactors<T>& factors = matrix.grad;
    grad.lay_out(factors);
    factors.slope = workspace.take<T>(B * factors.size(K));
    factors.inflow = workspace.take<T>(B * factors.size(K));
    factors.constant = workspace.take<T>(B * K);
    factors.top = workspace.take<T>(B * K);
    factors.inverse_mass = workspace.take<T>(B * K);
    factors.shift = workspace.take<T>(B * K);
  }
};

template <class Element, class Products>
void sum_products(cudaStream_t stream,
                  const InterClassSimilarityArgs& args,
                  const InterClassSimilarityMemory<Widened<Element>>& memory,
                  const Products& products) {
  using T = Widened<Element>;
  const int64_t N = args.student.H * args.student.W;
  const ProductTask<Element> task = {MapOf<Element>(args.student),
                                     MapOf<Element>(args.teacher),
                                     args.mask,
                                     T(1.0 / args.temperature),
                                     N,
                                     int(divide_up(N, products.pixels())),
                                     int(memory.parts),
                                     memory.matrix.student,
                                     memory.matrix.teacher,
                                     memory.valid_pixels,
                                     {}};
  products.enqueue(stream, args, task,
                   unsigned(2 * args.student.B * memory.parts * products.outputs()));
}

template <class Element>
void write_matrices(cudaStream_t stream,
                    const InterClassSimilarityArgs& args,
                    const InterClassSimilarityMemory<Widened<Element>>& memory) {
  using T = Widened<Element>;
  const int64_t B = args.student.B, K = args.student.C;
  launch<divergence_rows_kernel<T>>("divergence_rows_kernel", dim3(unsigned(B * K)),
                                    dim3(kMatrixThreads), size_t(memory.parts) * sizeof(double),
                                    stream, memory.matrix);
  launch<divergence_columns_kernel<T>>(
      "divergence_columns_kernel", dim3(unsigned(B * divide_up(K, kWarp))), dim3(kMatrixThreads), 0,
      stream, memory.matrix, args.loss, args.student.dtype);
}

template <class Element, class Grad>
void write_gradient(cudaStream_t stream,
                    const InterClassSimilarityArgs& args,
                    const InterClassSimilarityMemory<Widened<Element>>& memory,
                    const Grad& grad) {
  const int64_t N = args.student.H * args.student.W;
  const GradTask<Element> task = {MapOf<Element>(args.student),
                                  GradOf<Element>(args.grad),
                                  args.mask,
                                  Widened<Element>(1.0 / args.temperature),
                                  N,
                                  divide_up(N, grad.pixels()),
                                  memory.matrix.grad};
  grad.enqueue(stream, args, task, unsigned(args.student.B * task.tiles));
}

// Calls visit(form of the products, form of the gradient).
template <class T, class Visit>
void with_forms(const InterClassSimilarityArgs& args, Visit&& visit) {
  const int K = int(args.student.C);
  with_product_form<T>(K, [&](const auto& products) {
    with_grad_form<T>(K, [&](const auto& grad) { visit(products, grad); });
  });
}

template <class Element>
void run(const Launch& launched, const InterClassSimilarityArgs& args, void* scratch) {
  using T = Widened<Element>;
  const cudaStream_t stream = stream_of(launched);
  with_forms<T>(args, [&](const auto& products, const auto& grad) {
    Workspace workspace(scratch);
    const InterClassSimilarityMemory<T> memory(args, products, grad, workspace);
    sum_products<Element>(stream, args, memory, products);
    write_matrices<Element>(stream, args, memory);
    if (args.want_grad) write_gradient<Element>(stream, args, memory, grad);
    set_plan(
        "inter_class_similarity: cuda, %s, products by %s, %d tiles of outputs, %lld parts of tiles "
        "of %d pixels; gradient by %s, tiles of %d pixels; %d launches",
        sizeof(T) == 8 ? "f64" : "f32", products.name(), products.outputs(),
        static_cast<long long>(memory.parts), products.pixels(), grad.name(), grad.pixels(),
        args.want_grad ? 4 : 3);
  });
}

}  // namespace

size_t inter_class_similarity_workspace(const Launch&, const InterClassSimilarityArgs& args) {
  Workspace workspace(nullptr);
  with_element_type(args.student.dtype, [&](auto element) {
    using T = Widened<decltype(element)>;
    with_forms<T>(args, [&](const auto& products, const auto& grad) {
      InterClassSimilarityMemory<T>(args, products, grad, workspace);
    });
  });
  return workspace.bytes();
}

void inter_class_similarity(const Launch& launched,
                            const InterClassSimilarityArgs& args,
                            void* workspace) {
  with_element_type(args.student.dtype,
                    [&](auto element) { run<decltype(element)>(launched, args, workspace); });
}

}  // namespace structkd::cuda
