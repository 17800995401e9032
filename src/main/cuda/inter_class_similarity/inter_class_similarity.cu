// cuda/inter_class_similarity/inter_class_similarity.cu: the inter-class similarity loss without
// any K x N array. Truth: reference/inter_class_similarity.cpp.
//
// A call makes four launches, three for the value alone:
//   class_products_kernel       the K x K sums over pixels of both nets, per part of an image
//   divergence_rows_kernel      parts merged in order; M, the loss and its derivative G, by rows
//   divergence_columns_kernel   the loss of all rows; sums over the columns of G
//   class_grad_kernel           the gradient of the student's logits
// Each .cuh says what it reads and writes. Together 16 bytes per f32 logit: both nets once, the
// student once more, its gradient. Work is cut by shape alone; nothing is added in another order
// than that of indices.
#include <type_traits>

#include "core/workspace.h"
#include "cuda/common/launch.cuh"
#include "cuda/inter_class_similarity/grad.cuh"
#include "cuda/inter_class_similarity/matrix.cuh"
#include "cuda/inter_class_similarity/products.cuh"
#include "cuda/kernels.h"

namespace structkd::cuda {
namespace {

// The first launch aims at two blocks on each of the 132 multiprocessors of an H100. Sums of parts
// take 8 (K + 3) K bytes each, so there should not be many more.
constexpr int64_t kProductBlocks = 256;

// The shared memory that every GPU gives a block without being asked.
constexpr size_t kSharedBytes = 48 << 10;

// A form of the product kernel: a thread has R x C outputs, takes V pixels at a time and keeps
// Batch loads in flight.
template <int R_, int C_, int V_, int Batch_>
struct ProductForm {
  static constexpr int R = R_, C = C_, V = V_, Batch = Batch_;
};

// The best cut of K classes for a form, and what it costs: instructions of a block per pixel.
template <class T, class Form>
ProductShape product_shape(int K, double* cost) {
  ProductShape best = {};
  *cost = HUGE_VAL;
  const int most_tiles = K / 48 + 2;  // tiles of 48 classes fit whatever the form
  for (int row_tiles = 1; row_tiles <= most_tiles; ++row_tiles) {
    for (int column_tiles = 1; column_tiles <= most_tiles; ++column_tiles) {
      ProductShape shape = {};
      shape.row_tiles = row_tiles;
      shape.column_tiles = column_tiles;
      shape.rows = int(divide_up(K, row_tiles));
      shape.columns = int(divide_up(K, column_tiles));
      // The last tile must not be empty.
      if (shape.rows * (row_tiles - 1) >= K || shape.columns * (column_tiles - 1) >= K) continue;
      shape.thread_rows = int(divide_up(shape.rows, Form::R));
      shape.thread_columns = int(divide_up(shape.columns, Form::C));
      const int threads = shape.thread_rows * shape.thread_columns;
      if (shape.rows > kProductThreads || threads > kProductThreads) continue;
      for (int segments : {1, 2, 3, 6}) {  // of 32 pixels, as many warps each
        shape.pixels = segments * kWarp;
        // Rows are stored in batches: there is a slot for each.
        const int batch = Form::Batch * kProductWarps / segments;
        const int stored = int(divide_up(shape.rows, batch)) * batch;
        const bool square = row_tiles * column_tiles == 1;
        shape.row_slots =
            shape.thread_rows * Form::R > stored ? shape.thread_rows * Form::R : stored;
        shape.column_slots = shape.thread_columns * Form::C;
        if (square && shape.column_slots < stored) shape.column_slots = stored;
        const int chunks = shape.pixels / Form::V;
        shape.slices = kProductThreads / threads < chunks ? kProductThreads / threads : chunks;
        shape.stride = shape.pixels + Form::V;  // neighbouring rows start a chunk's banks apart
        if (product_shared_bytes<T>(shape, Form::C) > kSharedBytes) continue;
        const double products =
            double(divide_up(chunks, shape.slices)) * Form::V * Form::R * Form::C;
        const double rounds = 200.0;  // per thread and tile: barriers, loops
        // An exponential with its load and store, done again in every column tile.
        const double exponentials = 25.0 * (stored + (square ? 0 : shape.columns));
        const double instructions =
            row_tiles * column_tiles *
            (kProductThreads * (products + rounds) / shape.pixels + exponentials);
        if (instructions >= *cost) continue;
        *cost = instructions;
        best = shape;
      }
    }
  }
  return best;
}

// Calls visit(ProductForm, ProductShape) with the cheapest form for K classes. In f32 5 x 10 suits
// 19 and 20 classes, 8 x 8 (in two column tiles) 150. The larger a block of outputs, the less a
// thread reads per product, but not much more fits beside the loads in 168 registers. 21 classes
// are padded to 24: 7 x 7 would fit them, but its 21 slices of a tile take three rounds for two and
// a third, and lanes of four slices meet in the banks, six times as often.
template <class T, class Visit>
void with_product_form(int64_t K, Visit&& visit) {
  if constexpr (sizeof(T) == 8) {
    using Form = ProductForm<4, 4, 2, 4>;
    double cost;
    visit(Form{}, product_shape<T, Form>(int(K), &cost));
  } else {
    using Small = ProductForm<4, 4, 4, 8>;
    using Flat = ProductForm<5, 10, 4, 19>;
    using Square = ProductForm<8, 8, 2, 5>;
    double small, flat, square;
    const ProductShape small_shape = product_shape<T, Small>(int(K), &small);
    const ProductShape flat_shape = product_shape<T, Flat>(int(K), &flat);
    const ProductShape square_shape = product_shape<T, Square>(int(K), &square);
    if (small <= flat && small <= square) {
      visit(Small{}, small_shape);
    } else if (flat <= square) {
      visit(Flat{}, flat_shape);
    } else {
      visit(Square{}, square_shape);
    }
  }
}

// How the gradient of a tile of pixels is cut.
struct GradShape {
  int group, padded_group, groups;  // classes of a thread
  int pixels;                       // of a tile; 0: too many classes for a tile
  int factor_rows;
  size_t shared_bytes;
};

template <class T>
GradShape grad_shape(int64_t K, int group) {
  GradShape shape = {};
  shape.group = group;
  shape.padded_group = int(divide_up(group, kGradChunk<T>)) * kGradChunk<T>;
  shape.groups = int(divide_up(K, group));
  const size_t factor_bytes = size_t(shape.groups) * shape.padded_group * sizeof(T);
  int pixel_threads = kGradThreads / shape.groups;
  if (pixel_threads > 4) pixel_threads = pixel_threads / 4 * 4;  // whole lines of 32 pixels
  for (; pixel_threads > 0; --pixel_threads) {
    const int pixels = pixel_threads * kGradPixels<T>;
    const size_t tile_bytes = size_t(K) * pixels * sizeof(T) + pixels;
    if (tile_bytes + factor_bytes > kSharedBytes) continue;
    const int64_t fitting = int64_t((kSharedBytes - tile_bytes) / factor_bytes);
    // Few classes j at a time cost barriers: fewer pixels rather than fewer than 4 of them.
    if (fitting < 4 && fitting < K && pixel_threads > 1) continue;
    shape.pixels = pixels;
    shape.factor_rows = int(fitting < K ? fitting : K);
    shape.shared_bytes = tile_bytes + shape.factor_rows * factor_bytes;
    break;
  }
  return shape;
}

// Calls visit(classes of a thread, GradShape).
template <class T, class Visit>
void with_grad_form(int64_t K, Visit&& visit) {
  if constexpr (sizeof(T) == 8) {
    visit(std::integral_constant<int, 6>{}, grad_shape<T>(K, 6));
  } else {
    // 21 and 22 classes are two groups of 11, 19 and 20 of 10, 150 classes 15 groups of 10.
    if (divide_up(K, 11) * 11 < divide_up(K, 10) * 10) {
      visit(std::integral_constant<int, 11>{}, grad_shape<T>(K, 11));
    } else {
      visit(std::integral_constant<int, 10>{}, grad_shape<T>(K, 10));
    }
  }
}

// The arrays of a call in its workspace.
template <class T>
struct InterClassSimilarityMemory {
  int64_t parts;
  MatrixTask<T> matrix;
  int64_t* valid_pixels;

  InterClassSimilarityMemory(const InterClassSimilarityArgs& args,
                             const ProductShape& product,
                             const GradShape& grad,
                             Workspace& workspace)
      : matrix() {
    const int64_t B = args.student.B, K = args.student.C, N = args.student.H * args.student.W;
    const int64_t outputs = int64_t(product.row_tiles) * product.column_tiles;
    const int64_t tiles = divide_up(N, product.pixels);
    // At least two tiles, so that starting a part does not count.
    parts = kProductBlocks / (2 * B * outputs);
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
    factors.group = grad.group;
    factors.padded_group = grad.padded_group;
    factors.stride = grad.groups * grad.padded_group;
    factors.slope = workspace.take<T>(B * K * factors.stride);
    factors.inflow = workspace.take<T>(B * K * factors.stride);
    factors.constant = workspace.take<T>(B * K);
    factors.top = workspace.take<T>(B * K);
    factors.inverse_mass = workspace.take<T>(B * K);
    factors.shift = workspace.take<T>(B * K);
  }
};

template <class Element, class Form>
void sum_products(cudaStream_t stream,
                  const InterClassSimilarityArgs& args,
                  const InterClassSimilarityMemory<Widened<Element>>& memory,
                  const ProductShape& shape) {
  using T = Widened<Element>;
  const int64_t N = args.student.H * args.student.W;
  const ProductTask<Element> task = {MapOf<Element>(args.student),
                                     MapOf<Element>(args.teacher),
                                     args.mask,
                                     T(1.0 / args.temperature),
                                     N,
                                     int(divide_up(N, shape.pixels)),
                                     int(memory.parts),
                                     memory.matrix.student,
                                     memory.matrix.teacher,
                                     memory.valid_pixels,
                                     shape};
  const int64_t blocks = 2 * args.student.B * memory.parts * shape.row_tiles * shape.column_tiles;
  launch<class_products_kernel<Element, Form::R, Form::C, Form::V, Form::Batch>>(
      "class_products_kernel", dim3(unsigned(blocks)), dim3(kProductThreads),
      product_shared_bytes<T>(shape, Form::C), stream, task);
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

template <class Element, int Group>
void write_gradient(cudaStream_t stream,
                    const InterClassSimilarityArgs& args,
                    const InterClassSimilarityMemory<Widened<Element>>& memory,
                    const GradShape& shape) {
  const int64_t N = args.student.H * args.student.W;
  const int pixels = shape.pixels > 0 ? shape.pixels : kGradThreads;
  const GradTask<Element> task = {MapOf<Element>(args.student),
                                  GradOf<Element>(args.grad),
                                  args.mask,
                                  Widened<Element>(1.0 / args.temperature),
                                  N,
                                  divide_up(N, pixels),
                                  shape.pixels,
                                  shape.factor_rows,
                                  memory.matrix.grad};
  const unsigned blocks = unsigned(args.student.B * task.tiles);
  if (shape.pixels > 0) {
    launch<class_grad_kernel<Element, Group>>("class_grad_kernel", dim3(blocks), dim3(kGradThreads),
                                              shape.shared_bytes, stream, task);
  } else {
    launch<class_grad_reread_kernel<Element, Group>>("class_grad_reread_kernel",
                                                     dim3(blocks * unsigned(shape.groups)),
                                                     dim3(kGradThreads), 0, stream, task);
  }
}

// Calls visit(product form, its shape, group of the gradient, its shape).
template <class Element, class Visit>
void with_forms(const InterClassSimilarityArgs& args, Visit&& visit) {
  using T = Widened<Element>;
  const int64_t K = args.student.C;
  with_product_form<T>(K, [&](auto form, const ProductShape& product) {
    with_grad_form<T>(
        K, [&](auto group, const GradShape& grad) { visit(form, product, group, grad); });
  });
}

template <class Element>
void run(const Launch& launched, const InterClassSimilarityArgs& args, void* scratch) {
  using T = Widened<Element>;
  const cudaStream_t stream = stream_of(launched);
  with_forms<Element>(
      args, [&](auto form, const ProductShape& product, auto group, const GradShape& grad) {
        Workspace workspace(scratch);
        const InterClassSimilarityMemory<T> memory(args, product, grad, workspace);
        sum_products<Element, decltype(form)>(stream, args, memory, product);
        write_matrices<Element>(stream, args, memory);
        if (args.want_grad)
          write_gradient<Element, decltype(group)::value>(stream, args, memory, grad);
        set_plan(
            "inter_class_similarity: cuda, %s, %d x %d outputs per thread, %d x %d tiles, "
            "%lld parts of tiles of %d pixels; gradient: %s tiles of %d pixels; %d launches",
            sizeof(T) == 8 ? "f64" : "f32", form.R, form.C, product.row_tiles, product.column_tiles,
            static_cast<long long>(memory.parts), product.pixels, grad.pixels > 0 ? "" : "without",
            grad.pixels, args.want_grad ? 4 : 3);
      });
}

}  // namespace

size_t inter_class_similarity_workspace(const Launch&, const InterClassSimilarityArgs& args) {
  Workspace workspace(nullptr);
  with_element_type(args.student.dtype, [&](auto element) {
    using Element = decltype(element);
    with_forms<Element>(args, [&](auto, const ProductShape& product, auto, const GradShape& grad) {
      InterClassSimilarityMemory<Widened<Element>>(args, product, grad, workspace);
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
