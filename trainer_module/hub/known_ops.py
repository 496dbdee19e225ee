"""Which of TensorFlow's operations stay inside a model, and what is wrong with the others."""

from functools import cache

import tensorflow as tf
from tensorflow.python.framework import op_def_registry


def is_public(op: str) -> bool:
    """Whether TensorFlow offers an operation of this type to everybody.

    The others in its registry are of compilers and of tests, or belong to some library that this process uses.
    """
    return hasattr(tf.raw_ops, op) and op_def_registry.get(op) is not None


@cache
def objection_to(op: str) -> str:
    """What speaks against an operation wherever it is and whatever it is given; empty: nothing.

    TensorFlow's op registry decides. An operation that keeps state is refused unless it is known to be harmless
    (variables, tables, random numbers, control flow, data in memory). One that keeps none is allowed unless it is
    known to do I/O all the same, or an argument's name says that it is a file, a folder or an address. Thus one that
    a later TensorFlow adds is refused, not missed, unless it is declared pure and isn't. Operations of
    tensorflow-text are known by name, and any other is refused: nothing can be told about it.

    Example:
        >>> objection_to("MatMul"), objection_to("WriteFile")
        ('', 'takes a file or an address (`filename`)')
    """
    if op in _HARMLESS_STATE or op in _TEXT_OPS:
        return ""
    if not is_public(op):
        return "is unknown: neither a public operation of TensorFlow nor one of tensorflow-text"
    if op in _REASONS:
        return _REASONS[op]
    definition = op_def_registry.get(op)
    names = [each.name for each in (*definition.input_arg, *definition.attr)]
    files = [name for name in names if not _FILE_WORDS.isdisjoint(name.split("_"))]
    if files:
        return f"takes a file or an address (`{files[0]}`)"
    return "keeps state that isn't known to stay inside the model" if definition.is_stateful else ""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILE_WORDS = _names("address dir directory file filename filenames files logdir path server uri url urls")

# Operations without state that do more than compute, though no argument's name says so, and those that
# need a better explanation.
_REASONS = {
    op: reason
    for reason, ops in {
        "runs Python code": "EagerPyFunc PyFunc PyFuncStateless",
        "ends the process": "Abort",
        "runs a graph that is hidden in a string": "DatasetFromGraph DeserializeIterator",
        "looks for files": "ExperimentalMatchingFilesDataset MatchingFiles MatchingFilesDataset",
        "maps a file into memory": "ImmutableConst",
        "reads files": """
            ReaderNumRecordsProduced ReaderNumWorkUnitsCompleted ReaderRead ReaderReadUpTo ReaderReset
            ReaderRestoreState ReaderSerializeState SnapshotNestedDatasetReader""",
        "sends tensors to a debugger": """
            Copy CopyHost DebugIdentity DebugIdentityV2 DebugIdentityV3 DebugNanCount DebugNumericSummary
            DebugNumericSummaryV2""",
    }.items()
    for op in ops.split()
}

# Operations with state that stays inside the model and the random number generators.
_HARMLESS_STATE = _names(
    """
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DestroyResourceOp DisableCopyOnRead Empty DeepCopy
    ReadVariableOp ResourceCountUpTo ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterDiv
    ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterNdAdd ResourceScatterNdMax
    ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate ResourceScatterSub ResourceScatterUpdate
    ResourceStridedSliceAssign TemporaryVariable VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2

    ResourceApplyAdaMax ResourceApplyAdadelta ResourceApplyAdagrad ResourceApplyAdagradDA ResourceApplyAdagradV2
    ResourceApplyAdam ResourceApplyAdamWithAmsgrad ResourceApplyAddSign ResourceApplyCenteredRMSProp ResourceApplyFtrl
    ResourceApplyFtrlV2 ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum
    ResourceApplyPowerSign ResourceApplyProximalAdagrad ResourceApplyProximalGradientDescent ResourceApplyRMSProp
    ResourceSparseApplyAdadelta ResourceSparseApplyAdagrad ResourceSparseApplyAdagradDA ResourceSparseApplyAdagradV2
    ResourceSparseApplyCenteredRMSProp ResourceSparseApplyFtrl ResourceSparseApplyFtrlV2
    ResourceSparseApplyKerasMomentum ResourceSparseApplyMomentum ResourceSparseApplyProximalAdagrad
    ResourceSparseApplyProximalGradientDescent ResourceSparseApplyRMSProp

    AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable AnonymousMutableHashTableOfTensors
    HashTable HashTableV2 InitializeTableFromDataset InitializeTableV2 LookupTableExportV2 LookupTableFindV2
    LookupTableImportV2 LookupTableInsertV2 LookupTableRemoveV2 LookupTableSizeV2 MutableDenseHashTable
    MutableDenseHashTableV2 MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2

    AllCandidateSampler AnonymousRandomSeedGenerator AnonymousSeedGenerator DeleteRandomSeedGenerator
    DeleteSeedGenerator DummySeedGenerator LearnedUnigramCandidateSampler LogUniformCandidateSampler Multinomial
    NonDeterministicInts ParameterizedTruncatedNormal RandomCrop RandomGamma RandomPoisson RandomPoissonV2
    RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt RngReadAndSkip RngSkip
    SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 StatefulRandomBinomial StatefulStandardNormal
    StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt
    StatelessRandomGetAlg ThreadUnsafeUnigramCandidateSampler TruncatedNormal UniformCandidateSampler

    Assert Case CheckNumerics CheckNumericsV2 DeviceIndex GuaranteeConst If Print StatefulPartitionedCall While
    CudnnRNN CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3

    Stack StackCloseV2 StackPopV2 StackPushV2 StackV2 TensorArray TensorArrayCloseV3 TensorArrayConcatV3
    TensorArrayGatherV3 TensorArrayGrad TensorArrayGradV2 TensorArrayGradV3 TensorArrayGradWithShape
    TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV2 TensorArrayV3
    TensorArrayWriteV3

    AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 DatasetToSingleElement DeleteIterator GeneratorDataset
    GroupByReducerDataset Iterator IteratorGetNext IteratorGetNextAsOptional IteratorGetNextSync IteratorV2
    ListDataset MakeIterator OneShotIterator RandomDataset RandomDatasetV2 RangeDataset ReduceDataset
    ShuffleAndRepeatDatasetV2 ShuffleDatasetV2 ShuffleDatasetV3 SparseTensorSliceDataset TensorDataset
    TensorSliceDataset
    """
)

# All that tensorflow-text 2.16 registers.
_TEXT_OPS = _names(
    """
    CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets FindSourceOffsets
    MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize RegexSplitWithOffsets RougeL
    SentenceFragments SentenceFragmentsV2 SentencepieceDetokenizeOp SentencepieceIdToStringOp SentencepieceOp
    SentencepieceStringToIdOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp
    SplitMergeTokenizeWithOffsets TFText>BoiseTagsToOffsets TFText>ByteSplitByOffsets TFText>ByteSplitWithOffsets
    TFText>FastSentencepieceDetokenize TFText>FastSentencepieceTokenize TFText>FastWordpieceDetokenize
    TFText>NgramsStringJoin TFText>OffsetsToBoiseTags TFText>PhraseDetokenize TFText>RoundRobinGenerateMasks
    TFText>RoundRobinTrim TFText>Utf8Binarize TFText>WhitespaceTokenizeWithOffsetsV2 TokenizerFromLogits
    UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets
    """
)
