// src/test/cpp/pixelwise_reference_test.cpp: the pixel-wise loss against numbers of 60 digits, from
// far apart to a difference in the last bits: the reference, which all else is measured against,
// must have every bit, and each backend in f64 what it promises.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "pixelwise_cases.h"
#include "tensors.h"

namespace structkd::test {
namespace {

// One pixel of K classes: student s_c = (c^2 mod 7) / 8 + c / 16,
// teacher s_c + ((3 c mod 5) - 2) 2^-e + offset, all exact in f64.
struct Case {
  int64_t K;
  int e;
  double temperature, offset;
  double teacher_student, student_teacher;  // the two KL
  double teacher_grad, student_grad;        // their derivatives by the first logit of the student
};

// Made with mpmath 1.3, 60 digits, from softmax and sum q (log q - log p) as they are written.
const Case kCases[] = {
    {2, 1, 1, 0, 1.999008652042579083e-1, 2.458345606506351808e-1, 2.971569505699287261e-1,
     3.717233177235947023e-1},
    {5, 4, 1, 0, 3.564364253586119046e-3, 3.56197188735738551e-3, 1.704163736515334126e-2,
     1.770402800262771351e-2},
    {5, 10, 1, 0, 8.684651559168655723e-7, 8.684367100846180059e-7, 2.764665717873422904e-4,
     2.766254375410580235e-4},
    {19, 20, 1, 0, 9.338387162441377148e-13, 9.338387231228427727e-13, 4.244728473987307276e-8,
     4.244730578051960747e-8},
    {19, 30, 4, 64, 5.67167133726703124e-20, 5.671671337267985228e-20, 5.009170893232653611e-12,
     5.009170893797583439e-12},
    {150, 40, 1, -8, 8.036053502899365405e-25, 8.036053502899393987e-25, 7.753482028834454959e-18,
     7.75348202883826806e-18},
    {5, 44, 1, 0, 2.942281131850787643e-27, 2.942281131850781973e-27, 1.610171966842892459e-14,
     1.610171966842946268e-14},
};

Outcome compute(const std::string& backend, const Case& c, structkd_divergence divergence) {
  TestTensor student({1, c.K, 1, 1}, STRUCTKD_F64), teacher({1, c.K, 1, 1}, STRUCTKD_F64);
  student.fill([](int64_t k) { return double(k * k % 7) / 8 + double(k) / 16; });
  teacher.fill([&](int64_t k) {
    return student.get(k) + std::ldexp(double(3 * k % 5 - 2), -c.e) + c.offset;
  });
  structkd_pixelwise_params params = params_of(divergence);
  params.temperature = c.temperature;
  return compute(backend, student, teacher, params);
}

void expect_close(double expected, double actual, double tolerance) {
  EXPECT_NEAR(expected, actual, tolerance * std::abs(expected));
}

void expect_true_numbers(const std::string& backend, double tolerance) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::to_string(c.K) + " classes, 2^-" + std::to_string(c.e));
    const Outcome teacher = compute(backend, c, STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT);
    expect_close(c.teacher_student, teacher.loss, tolerance);
    expect_close(c.teacher_grad, teacher.grad[0], tolerance);
    const Outcome student = compute(backend, c, STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER);
    expect_close(c.student_teacher, student.loss, tolerance);
    expect_close(c.student_grad, student.grad[0], tolerance);
    const Outcome cross = compute(backend, c, STRUCTKD_DIVERGENCE_CROSS_ENTROPY);
    expect_close(c.teacher_grad, cross.grad[0], tolerance);
  }
}

TEST(PixelwiseReference, HasEveryBitHoweverCloseStudentAndTeacherAre) {
  expect_true_numbers("reference", 4 * 0x1p-53);
}

class PixelwiseTruth : public testing::TestWithParam<std::string> {};

TEST_P(PixelwiseTruth, KeepsRelativePrecisionHoweverCloseStudentAndTeacherAre) {
  expect_true_numbers(GetParam(), 1e-10);
}

INSTANTIATE_TEST_SUITE_P(Backends,
                         PixelwiseTruth,
                         testing::ValuesIn(backends_under_test()),
                         backend_test_name);

// Values of the public codes, printed by those: S = 2 sin(0.7 i + 0.3), T = 3 sin(1.3 i + 1.1).
TEST(PixelwiseReference, AgreesWithThePublishedCodes) {
  auto loss_of = [](std::vector<int64_t> shape, structkd_divergence divergence,
                    structkd_divisor divisor) {
    TestTensor student(shape, STRUCTKD_F64), teacher(shape, STRUCTKD_F64);
    student.fill([](int64_t i) { return 2.0 * std::sin(0.7 * double(i) + 0.3); });
    teacher.fill([](int64_t i) { return 3.0 * std::sin(1.3 * double(i) + 1.1); });
    return compute("reference", student, teacher, params_of(divergence, divisor)).loss;
  };
  // SKD ce208e1, CriterionPixelWise.
  EXPECT_NEAR(
      4.812634904342865,
      loss_of({2, 5, 3, 4}, STRUCTKD_DIVERGENCE_CROSS_ENTROPY, STRUCTKD_DIVISOR_PIXELS_PER_IMAGE),
      1e-13);
  // CIRKD dab64db, losses/kd.py, T = 1.
  EXPECT_NEAR(
      1.3476121570388495,
      loss_of({2, 5, 3, 4}, STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT, STRUCTKD_DIVISOR_PIXELS),
      1e-13);
  // AICSD f99949e, pi_loss.
  EXPECT_NEAR(
      0.07919566353508684,
      loss_of({2, 21, 4, 5}, STRUCTKD_DIVERGENCE_KL_TEACHER_STUDENT, STRUCTKD_DIVISOR_ELEMENTS),
      1e-14);
  // The direction that the SKD paper writes; no public code has it.
  EXPECT_NEAR(
      1.7739979665903383,
      loss_of({2, 5, 3, 4}, STRUCTKD_DIVERGENCE_KL_STUDENT_TEACHER, STRUCTKD_DIVISOR_PIXELS),
      1e-13);
}

}  // namespace
}  // namespace structkd::test
