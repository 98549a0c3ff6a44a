//===- TensorTest.cpp - tensors and types ---------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Tensor.h"

#include <gmock/gmock.h>

#include <limits>

using namespace deepshare;
using testing::ElementsAre;

TEST(Tensor, OwnsWhatItCopies) {
  std::vector<int64_t> Values = {1, 2, 3};
  Tensor T = Tensor::of<int64_t>({3}, Values);
  Values.assign(3, 0);
  EXPECT_THAT(T.toVector<int64_t>(), ElementsAre(1, 2, 3));
  EXPECT_EQ(T.get<int64_t>(2), 3);
  EXPECT_EQ(T.type().str(), "int64[3]");
}

TEST(Tensor, ViewsKeepTheirOwner) {
  // Off by one byte on purpose: a mapped file aligns nothing.
  auto Buffer = std::make_shared<std::vector<char>>(9);
  float Value = 2.5;
  std::memcpy(Buffer->data() + 1, &Value, sizeof(Value));
  std::weak_ptr<std::vector<char>> Alive = Buffer;
  Tensor T = Tensor::view(ElementType::Float32, {2}, llvm::ArrayRef<char>(*Buffer).drop_front(), Buffer);
  Buffer.reset();
  Tensor Reshaped = T.reshaped({2, 1}).withUnmodelled("bytes");
  T = Tensor::scalar<float>(0);
  EXPECT_FALSE(Alive.expired());
  EXPECT_THAT(Reshaped.toVector<float>(), ElementsAre(2.5, 0));
  EXPECT_EQ(Reshaped.unmodelled(), "bytes");
  Reshaped = T;
  EXPECT_TRUE(Alive.expired());
}

TEST(Tensor, ComparesBits) {
  float NaN = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Tensor::scalar(NaN), Tensor::scalar(NaN));
  EXPECT_FALSE(Tensor::scalar(0.0f) == Tensor::scalar(-0.0f));
  EXPECT_FALSE(Tensor::of<float>({1}, {0}) == Tensor::scalar(0.0f));
  EXPECT_FALSE(Tensor::scalar<int32_t>(0) == Tensor::scalar<uint32_t>(0));
  EXPECT_EQ(Tensor::strings({2}, {"a", ""}), Tensor::strings({2}, {"a", ""}));
}

TEST(Tensor, CountsWithoutOverflow) {
  EXPECT_EQ(numElements({}), 1);
  EXPECT_EQ(numElements({2, 0, 3}), 0);
  EXPECT_EQ(numElements({2, -1}), std::nullopt);
  EXPECT_EQ(numElements({int64_t(1) << 40, int64_t(1) << 40}), std::nullopt);
}

TEST(Type, Descriptions) {
  TensorType T{ElementType::Float16, Shape{Dim::symbolic("N"), Dim::fixed(3), Dim()}};
  EXPECT_EQ(T.str(), "float16[N,3,?]");
  EXPECT_EQ(T.rank(), 3u);
  EXPECT_FALSE(T.isStatic(1));
  EXPECT_TRUE(makeTensorType(ElementType::Bool, {}).isStatic());
  EXPECT_EQ((TensorType{ElementType::Int32, std::nullopt}).str(), "int32");
  EXPECT_EQ(elementTypeName(static_cast<ElementType>(99)), "type<99>");
}

TEST(Type, MultiplesOfNamedSizes) {
  EXPECT_EQ(Dim::multiple(64, "N").str(), "64*N");
  EXPECT_EQ(Dim::multiple(1, "N"), Dim::symbolic("N"));
  llvm::StringSet<> Names{"N", "2*N"};
  auto MultipleOf = [&](const Dim &Size) { return Size.multipleOf(Names).value_or(std::pair(0, "")); };
  EXPECT_EQ(MultipleOf(Dim::multiple(64, "N")), std::pair(int64_t(64), llvm::StringRef("N")));
  EXPECT_EQ(MultipleOf(Dim::symbolic("N")), std::pair(int64_t(1), llvm::StringRef("N")));
  EXPECT_EQ(MultipleOf(Dim::symbolic("2*N")), std::pair(int64_t(1), llvm::StringRef("2*N"))) << "one of the names";
  EXPECT_EQ(MultipleOf(Dim::multiple(64, "2*N")), std::pair(int64_t(64), llvm::StringRef("2*N")));
  for (llvm::StringRef Other : {"64*N*N", "0*N", "-2*N", "xN", "*N", "64*", "M", "99999999999999999999*N"})
    EXPECT_EQ(MultipleOf(Dim::symbolic(Other)).first, 0) << Other.str();
  EXPECT_EQ(MultipleOf(Dim::fixed(4)).first, 0);
  EXPECT_EQ(MultipleOf(Dim()).first, 0);
}
