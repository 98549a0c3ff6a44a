//===- ConversionTest.cpp - constants to ATen and back --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Graphs.h"

using namespace deepshare;

TEST(Conversion, SharesAlignedElements) {
  Tensor T = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  at::Tensor A = valueOf(toATen(T));
  EXPECT_EQ(A.data_ptr(), T.bytes().data());
  EXPECT_EQ(A.sizes(), at::IntArrayRef({2, 3}));
  EXPECT_EQ(A[1][2].item<float>(), 6);
}

TEST(Conversion, KeepsSharedElementsAlive) {
  at::Tensor A = valueOf(toATen(Tensor::of<int64_t>({2}, {int64_t(7), int64_t(8)})));
  EXPECT_EQ(A[1].item<int64_t>(), 8);
}

TEST(Conversion, CopiesUnalignedElements) {
  auto Buffer = std::make_shared<std::vector<char>>(9);
  float Values[2] = {1.5f, -2};
  std::memcpy(Buffer->data() + 1, Values, sizeof(Values));
  Tensor T = Tensor::view(ElementType::Float32, {2}, llvm::ArrayRef(*Buffer).drop_front(), Buffer);
  at::Tensor A = valueOf(toATen(T));
  EXPECT_NE(A.data_ptr(), T.bytes().data());
  EXPECT_EQ(A[0].item<float>(), 1.5f);
  EXPECT_EQ(A[1].item<float>(), -2);
}

TEST(Conversion, RoundTrips) {
  for (at::ScalarType Type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kChar, at::kByte, at::kShort,
                              at::kInt, at::kLong, at::kBool}) {
    at::Tensor A = at::arange(6).reshape({2, 3}).to(Type).t(); // strides are not kept, elements are
    at::Tensor B = valueOf(toATen(llvm::cantFail(fromATen(A))));
    EXPECT_TRUE(at::equal(A, B)) << at::toString(Type);
  }
}

TEST(Conversion, EmptyTensors) {
  Tensor T = Tensor::of<float>({0, 3}, {});
  EXPECT_EQ(valueOf(toATen(T)).sizes(), at::IntArrayRef({0, 3}));
}

TEST(Conversion, ConstantsDoNotFollowLaterWrites) {
  at::Tensor A = at::zeros({2});
  Tensor T = llvm::cantFail(fromATen(A));
  A.fill_(1);
  EXPECT_EQ(T.get<float>(0), 0);
}

TEST(Conversion, TypesWithoutCounterpart) {
  EXPECT_EQ(messageOf(toATen(Tensor::strings({1}, {"a"}))), "element type string is not supported");
  EXPECT_EQ(messageOf(toATen(Tensor::of<uint32_t>({1}, {1u}))), "element type uint32 is not supported");
}
