"""A Hub encoder with a task head."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras

from trainer_module.encoder import Encoder
from trainer_module.encoder.noise import Noise
from trainer_module.features import MASK, POOLED, STATES

StepFunction = Callable[[Iterator[Any]], dict[str, tf.Tensor]]


class BertClassifier(keras.Model):
    """Encoder, pooling, dropout, one dense layer.

    Args:
        encoder: Its variables are trainable or not already.
        outputs: Number of classes, or 1 for regression.
        pooling: `pooled` (the Hub's pooled output), `cls` (the first token's state) or `mean` (of the tokens' states).
        dropout: Rate before the head.
        seed: Of the head's initial weights, and of the dropout of each training step.

    Attributes:
        pooling: As given.
        rows_per_step: Where batches differ in size: the size at which a batch's mean loss counts once. A smaller
            batch counts less, so that each row weighs the same. None: each batch counts once.
    """

    rows_per_step: float | None = None
    train_function: StepFunction | None
    test_function: StepFunction | None

    def __init__(self, encoder: Encoder, *, outputs: int, pooling: str, dropout: float, seed: int) -> None:
        super().__init__(name="bert_classifier")
        self.encoder = encoder
        self.head = keras.layers.Dense(
            outputs, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02, seed=seed), name="head"
        )
        self.pooling = pooling
        self._dropout = dropout
        self._seed = seed
        self._held = frozenset[str]()
        self._entry = 0

    def build_head(self, width: int) -> None:
        """Creates the head's variables before a batch is seen.

        Args:
            width: Of what the head reads.
        """
        self._apply_head(tf.zeros([1, width]))

    def train_only(self, names: Collection[str]) -> None:
        """From now on only these of the encoder's trainable variables (Hub names) train, and the head.

        `trainable_variables` stays what it is: whatever trains at some time. A training step that was traced before
        keeps what held then; see `make_train_function`.
        """
        self.encoder.train_only(names)
        self._held = frozenset(self.encoder.hub_variables) - frozenset(names)

    @property
    def training_variables(self) -> list[tf.Variable]:
        """The variables that a training step changes now."""
        held = {self.encoder.hub_variables[name].ref() for name in self._held}
        return [variable for variable in self.trainable_variables if variable.ref() not in held]

    def enter_after(self, parts: int) -> None:
        """From now on inputs that hold `states` hold those after this many parts of the encoder.

        What was traced before keeps what held then.
        """
        self._entry = parts

    def states_after(self, inputs: Mapping[str, tf.Tensor], parts: int, first_only: bool = False) -> tf.Tensor:
        """The encoder's states after its first `parts`, without dropout: `[batch, seq or 1, hidden]`."""
        return self.encoder.run_parts(inputs, self._first(inputs), parts, first_only=first_only)[-1]

    def pooled(self, inputs: Mapping[str, tf.Tensor], noise: Noise | None = None) -> tf.Tensor:
        """What the head reads, `[batch, hidden]` float32."""
        if POOLED in inputs:
            return inputs[POOLED]
        first_only = self.pooling != "mean"
        return self._pool(self.encoder.outputs(inputs, noise, self._first(inputs), first_only), inputs[MASK])

    def logits(self, inputs: Mapping[str, tf.Tensor], noise: Noise | None = None) -> tf.Tensor:
        """Logits `[batch, outputs]` float32.

        Args:
            inputs: A Hub encoder's three, each `[batch, seq]` int32; or `input_mask` and `states`
                `[batch, seq, hidden]` (see `enter_after`); or `pooled` `[batch, hidden]`.
            noise: For dropout, which only training has.
        """
        pooled = self.pooled(inputs, noise)
        return self._apply_head(noise.drop(pooled, self._dropout, "head") if noise else pooled)

    def call(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """As `logits`; in training with dropout that differs from call to call."""
        return self.logits(inputs, Noise.fresh() if training else None)

    def make_train_function(self, force: bool = False) -> StepFunction:
        """As `keras.Model` has it, without AutoGraph: it would rewrite all of Keras on the way down.

        That takes longer than many a fine-tuning. (It leaves out the package `keras` by itself, but not `tf_keras`.)
        """
        if self.train_function is None or force:

            def train_function(iterator: Any) -> dict[str, tf.Tensor]:
                outputs = self._run_replicas(self.train_step, iterator)
                self._train_counter.assign_add(1)
                return outputs

            self.train_function = tf.function(train_function, autograph=False)
            self.train_tf_function = self.train_function
        return self.train_function

    def make_test_function(self, force: bool = False) -> StepFunction:
        """As `make_train_function`, for evaluation."""
        if self.test_function is None or force:

            def test_function(iterator: Any) -> dict[str, tf.Tensor]:
                outputs = self._run_replicas(self.test_step, iterator)
                self._test_counter.assign_add(1)
                return outputs

            self.test_function = tf.function(test_function, autograph=False)
        return self.test_function

    def _run_replicas(
        self, step: Callable[[Any], dict[str, tf.Tensor]], iterator: Iterator[Any]
    ) -> dict[str, tf.Tensor]:
        strategy = self.distribute_strategy
        outputs = strategy.run(step, args=(next(iterator),))
        # Metrics are the same on all replicas: their variables are summed over them.
        return tf.nest.map_structure(lambda each: strategy.experimental_local_results(each)[0], outputs)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of `training_variables`."""
        inputs, labels = data
        variables = self.training_variables
        noise = Noise(tf.stack([self._seed, self._noise_number()]))
        # The tape of `keras.Model` watches every variable that trains at some time, and so would compute gradients
        # down to the lowest of them.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            outputs = self._of_labelled(self.logits(inputs, noise), labels)
            weighted = self._weighted(self.compute_loss(inputs, labels, outputs), labels)
        self.optimizer.minimize(weighted, variables, tape=tape)
        return self.compute_metrics(inputs, labels, outputs, None)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One batch of evaluation."""
        inputs, labels = data
        outputs = self._of_labelled(self.logits(inputs), labels)
        self.compute_loss(inputs, labels, outputs)
        return self.compute_metrics(inputs, labels, outputs, None)

    def _noise_number(self) -> tf.Tensor:
        """Another one for each step and replica; on one device it is the step's number."""
        step = tf.cast(self.optimizer.iterations, tf.int32)
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas == 1:
            return step
        return step * replicas + tf.distribute.get_replica_context().replica_id_in_sync_group

    def _of_labelled(self, outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Leaves out the row of a replica that has got no row of its own; see `batches`."""
        return outputs if self.distribute_strategy.num_replicas_in_sync == 1 else outputs[: tf.shape(labels)[0]]

    def _weighted(self, loss: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """What a replica's mean loss contributes to the step's, in which each row counts the same."""
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas == 1 and self.rows_per_step is None:
            return loss
        rows = tf.cast(tf.shape(labels)[0], tf.float32)
        counted = self.rows_per_step
        if counted is None:
            counted = tf.distribute.get_replica_context().all_reduce("SUM", rows)
        # Keras has divided the mean by the number of replicas, as is right where all have as many rows.
        return loss * (replicas * rows / counted)

    def _first(self, inputs: Mapping[str, tf.Tensor]) -> int:
        return self._entry if STATES in inputs else 0

    def _apply_head(self, pooled: tf.Tensor) -> tf.Tensor:
        # The first call names the head's variables, wherever it came from.
        with tf.name_scope(f"{self.name}/"):
            return self.head(pooled)

    def _pool(self, outputs: dict[str, tf.Tensor], mask: tf.Tensor) -> tf.Tensor:
        if self.pooling == "pooled":
            return outputs["pooled_output"]
        states = outputs["sequence_output"]
        if self.pooling == "cls":
            return states[:, 0, :]
        weights = tf.cast(mask, states.dtype)[:, :, tf.newaxis]
        return tf.reduce_sum(states * weights, axis=1) / tf.reduce_sum(weights, axis=1)
